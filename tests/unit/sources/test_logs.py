from __future__ import annotations

import gzip
import os
import random
import sys
import threading
from typing import TYPE_CHECKING

import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from diagkit.errors import (
    DiagkitWarning,
    SettingError,
    SourceError,
    SourceFormatError,
)
from diagkit.frames.logs import LEVELS, LOGS
from diagkit.signatures.catalogue import find_signature
from diagkit.sources import logs as module
from diagkit.sources.logs import find_literals, read_log_file, read_logs
from diagkit.sources.packers import Limits
from diagkit.sources.paths import SourceFile

if TYPE_CHECKING:
    from pathlib import Path

MIXED = """\
2025-11-25 22:00:14 [INFO    ] a.b: one
{"timestamp": "2025-11-25T22:00:16+00:00", "level": "warning", "message": "two"}
INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK
2025-11-25 22:00:15,250 ERROR a.b: three
Traceback (most recent call last):
  File "x.py", line 3, in f
KeyError: 1
"""


def test_formats_interleaved_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_text(MIXED, encoding="utf-8")
    logs = read_logs(path, tz="UTC")
    assert logs["message"].tolist() == [
        "one",
        "two",
        '127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
        "three",
    ]
    assert logs["level"].tolist() == ["INFO", "WARNING", "INFO", "ERROR"]
    assert logs["line"].tolist() == [1, 2, 3, 4]
    assert logs["lines"].tolist() == [1, 1, 1, 4]
    assert logs["exception"].tolist()[3] == "KeyError"
    assert logs["source"].unique().tolist() == ["console.log"]
    assert logs["timestamp"].isna().tolist() == [False, False, True, False]
    assert str(logs["timestamp"][3]) == "2025-11-25 22:00:15.250000+00:00"


def test_the_frame_fulfils_its_contract(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    logs = LOGS.check(read_logs(tmp_path / "a.log", tz="UTC"))
    assert [str(d) for d in logs.dtypes] == [c.dtype for c in LOGS.columns]
    assert tuple(logs["level"].cat.categories) == LEVELS


def test_levels_that_are_unknown_stay_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2025-11-25 22:00:14 [AUDIT   ] a.b: one\n")
    logs = read_logs(tmp_path / "a.log", tz="UTC")
    assert tuple(logs["level"].cat.categories) == (*LEVELS, "AUDIT")


@pytest.mark.filterwarnings("ignore:.*no line is in a format")
@pytest.mark.filterwarnings("ignore:.*bytes are no UTF-8")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.sampled_from([*MIXED.splitlines(), "\x00", "", "é", "x" * 99])))
def test_lines_add_up_over_any_file(tmp_path: Path, lines: list[str]) -> None:
    data = "\n".join(lines).encode("latin-1")
    path = tmp_path / "x.log"
    path.write_bytes(data)
    if not data:
        return
    expected = data.count(b"\n") + (not data.endswith(b"\n"))
    assert read_logs(path, tz="UTC")["lines"].sum() == expected


def test_a_folder_a_glob_and_a_list_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(MIXED.encode()))
    folder = read_logs(tmp_path, tz="UTC", progress=False)
    glob = read_logs(str(tmp_path / "*.log*"), tz="UTC", progress=False)
    listed = [tmp_path / "a.log", tmp_path / "b.log.gz"]
    pd.testing.assert_frame_equal(folder, glob)
    pd.testing.assert_frame_equal(folder, read_logs(listed, tz="UTC", progress=False))
    assert folder["source"].unique().tolist() == ["a.log", "b.log.gz"]


def test_a_zone_is_applied_to_times_without_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    logs = read_logs(tmp_path / "a.log", tz="America/Jamaica")
    assert str(logs["timestamp"][0]) == "2025-11-26 03:00:14+00:00"
    assert str(logs["timestamp"][1]) == "2025-11-25 22:00:16+00:00"


def test_a_missing_zone_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    with pytest.warns(DiagkitWarning, match=r"a\.log: its times have no zone"):
        read_logs(tmp_path / "a.log")


def test_what_is_no_log_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    (tmp_path / "README.md").write_text("# an incident\n")
    with pytest.warns(DiagkitWarning, match=r"README\.md: a text for people"):
        logs = read_logs(tmp_path, tz="UTC", progress=False)
    assert logs["source"].unique().tolist() == ["a.log"]


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# an incident\n")
    (tmp_path / "x.bin").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(SourceFormatError, match=r"holds no log that can be read"):
        read_logs(tmp_path, tz="UTC")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    with pytest.raises(SourceError, match=r"a\.log: the file is empty"):
        read_logs(tmp_path / "a.log")


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(999))
    with pytest.raises(SourceFormatError, match=r"is no text file \(a PNG picture\)"):
        read_logs(tmp_path / "a.log")


def test_an_unknown_format_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("Jun 14 combo sshd: failure\n" * 3)
    with pytest.warns(DiagkitWarning, match=r"a\.log: no line is in a format that is"):
        logs = read_logs(tmp_path / "a.log", tz="UTC")
    assert logs["message"].tolist() == ["Jun 14 combo sshd: failure"] * 3
    assert logs["level"].isna().all()


def test_matching_takes_ids_signatures_and_literals(tmp_path: Path) -> None:
    timeout = "QueuePool limit of size 5 overflow 10 reached, connection timed out"
    (tmp_path / "a.log").write_text(
        f"{MIXED}2025-11-25 22:00:17 [ERROR] a.b: {timeout}\n"
    )
    for matching in (
        "sqlalchemy.queuepool_timeout",
        find_signature("sqlalchemy.queuepool_timeout"),
        ["QueuePool limit"],
    ):
        logs = read_logs(tmp_path / "a.log", tz="UTC", matching=matching)
        assert logs["message"].tolist() == [timeout]
        assert logs["line"].tolist() == [8]
    assert len(read_logs(tmp_path / "a.log", tz="UTC", matching="KeyError")) == 1
    assert len(read_logs(tmp_path / "a.log", tz="UTC", matching="nowhere in it")) == 0


def test_literals_are_checked() -> None:
    assert find_literals(["a b", "a b"]) == ("a b",)
    with pytest.raises(SettingError, match="an empty literal"):
        find_literals([""])
    with pytest.raises(SettingError, match="did you mean"):
        find_literals("sqlalchemy.queuepool_timeot")


def test_an_unknown_zone_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no time zone 'Mars'"):
        read_logs(tmp_path / "nowhere.log", tz="Mars")


def test_a_bar_is_shown_for_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(MIXED)
    logs = read_logs(tmp_path, tz="UTC")
    assert len(logs) == 8
    assert "read_logs" in capsys.readouterr().err


def test_a_bar_of_bytes_is_shown_for_one_large_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a.log").write_text(MIXED)
    read_logs(tmp_path / "a.log", tz="UTC")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "BAR_BYTES", 1)
    read_logs(tmp_path / "a.log", tz="UTC")
    assert "B/s" in capsys.readouterr().err


def test_bytes_that_were_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(MIXED.encode()))
    told: list[int] = []
    read_log_file(SourceFile(path, "a"), "UTC", tell=told.append)
    assert sum(told) == path.stat().st_size


def test_an_interrupt_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(MIXED * 9999)

    def interrupt(count: int) -> None:
        if path.read_bytes() and told:
            raise KeyboardInterrupt
        told.append(count)

    told: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        read_log_file(SourceFile(path, "a"), "UTC", tell=interrupt)
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


def test_limits_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(MIXED.encode() * 99))
    with pytest.raises(SourceFormatError, match="more than 1,000 bytes"):
        read_logs(tmp_path / "a.log.gz", tz="UTC", limits=Limits(max_bytes=1000))


def test_a_record_without_a_time_lies_between_its_neighbours(tmp_path: Path) -> None:
    access = 'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK\n'
    timed = "2025-11-25 22:00:{:02} [INFO] a.b: x\n".format
    (tmp_path / "a.log").write_text(
        access + timed(1) + access + access + timed(5) + access
    )
    logs = read_logs(tmp_path / "a.log", tz="UTC")
    seconds = logs[["after", "timestamp", "before"]].apply(lambda t: t.dt.second)
    assert seconds.astype("Int64").astype(object).where(
        seconds.notna(), None
    ).to_numpy().tolist() == [
        [None, None, 1],
        [1, 1, 1],
        [1, None, 5],
        [1, None, 5],
        [5, 5, 5],
        [5, None, None],
    ]


def test_no_interval_reaches_into_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2025-11-25 22:00:01 [INFO] a.b: x\n")
    (tmp_path / "b.log").write_text("WARNING:root:x\n")
    logs = read_logs(tmp_path, tz="UTC", progress=False)
    assert logs[["after", "before"]].iloc[1].isna().all()


@pytest.mark.parametrize("seed", range(20))
def test_intervals_do_not_depend_on_what_is_asked_for(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    prefixes = ["a-1  | ", "b-1  | "] if seed % 2 else [""]
    lines = [
        rng.choice(prefixes)
        + rng.choice(
            [
                f"2025-11-25 22:00:{n:02} [INFO] a.b: {rng.choice('xyz')}",
                f"WARNING:root:{rng.choice('xyz')}",
                "and on",
            ]
        )
        for n in range(60)
    ]
    (tmp_path / "a.log").write_text("\n".join(lines))
    everything = read_logs(tmp_path / "a.log", tz="UTC")
    asked = read_logs(tmp_path / "a.log", tz="UTC", matching="x")
    expected = everything[everything["message"].str.contains("x")]
    pd.testing.assert_frame_equal(asked, expected.reset_index(drop=True))


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in the file system")
def test_a_pipe_is_searched_though_it_can_be_opened_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    # A record without a time makes the quick way give up after it has read.
    text = f"{MIXED}bare one of these\n".encode()
    writer = threading.Thread(target=path.write_bytes, args=(text,))
    writer.start()
    logs = read_logs(path, tz="UTC", matching=["HTTP/1.1", "KeyError"], progress=False)
    writer.join()
    assert logs["line"].tolist() == [3, 4]
