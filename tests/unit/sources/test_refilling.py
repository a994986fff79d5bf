from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, strategies as st

from diagkit.errors import DiagkitWarning
from diagkit.sources import glances, refilling
from diagkit.sources.decoding import Decoder
from diagkit.sources.logframes import LogColumns, read_columns, search_columns
from diagkit.sources.logs import read_logs
from diagkit.sources.records import iterate_records
from diagkit.sources.refilling import PlainLog, UnfitError, open_plain

LITERALS = ["lost it", 'a "quoted" one', "ünïcode/slash"]
LINES = st.sampled_from(
    [
        b"2025-11-25 22:00:14 [ERROR   ] a.b: we lost it",
        b"2025-11-25 22:00:14 [INFO    ] a.b: all well",
        b'2025-11-25 22:00:15,250 - a.b - INFO - a "quoted" one',
        b"Traceback (most recent call last):",
        b'  File "x.py", line 3, in f',
        b"ValueError: lost it",
        b'{"message": "a \\"quoted\\" one", "level": "info"}',
        '{"message": "ünïcode/slash"}'.encode(),
        b'{"message": "\\u006cost it"}',
        b'{"message": "we lost it", "timestamp": "2025-11-25T22:00:14Z"}',
        b"2025-11-25 22:00:14 UTC [7] ERROR:  lost it",
        b"2025-11-25 22:00:14 UTC [7] DETAIL:  lost it again",
        b"\x1b[32mINFO\x1b[0m:     we lo\x1b[1mst it",
        "2025-11-25 22:00:14 [INFO    ] é.b: lost it €".encode(),
        b"2025-11-25 22:00:14 [INFO    ] \xe9.b: lost it",
        b"caf\xe9 \xe2\x82",
        b"\xff\xfe lost it",
        b"lost it, said nobody",
        b"",
        b"\x00",
    ]
)
Row = tuple[object, ...]


def reference(data: bytes, literals: list[str]) -> list[Row]:
    """What reading line by line gives."""
    lines = Decoder("utf-8").decode(data, final=True).split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    return [
        (r.line, r.lines, r.level, r.logger, r.message, r.exception, r.traceback)
        for r in iterate_records((x.removesuffix("\r") for x in lines), literals)
    ]


def table(columns: LogColumns) -> list[Row]:
    frame = columns.frame("x.log", "UTC", None)
    names = ["line", "lines", "level", "logger", "message", "exception", "traceback"]
    clean = frame[names].astype(object)
    return list(clean.where(clean.notna(), None).itertuples(index=False, name=None))


@pytest.mark.slow
@given(
    st.lists(LINES, max_size=40),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.integers(1, 400),
    st.sampled_from([64, 128, 1024]),
    st.integers(1, 90),
    st.lists(st.sampled_from(LITERALS), min_size=1, unique=True),
)
@example([b"lost it"] * 2, b"\n", False, 1, 64, 1, ["lost it"])
@example(
    [b"{"] * 9 + [b"2025-11-25 22:00:14 - a - B - x"], b"\n", True, 2, 64, 3, ["x"]
)
def test_ranges_read_as_the_file_does(
    lines: list[bytes],
    end: bytes,
    ended: bool,
    step: int,
    slices: int,
    look: int,
    literals: list[str],
) -> None:
    data = end.join(lines) + (end if ended and lines else b"")
    spelled = Decoder("utf-8")
    spelled.decode(data, final=True)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(glances, "SLICE_BYTES", slices)
        patch.setattr(refilling, "SLICE_BYTES", slices)
        patch.setattr(refilling, "LOOK_BYTES", look)
        path = Path(folder) / "x.log"
        path.write_bytes(data)
        with path.open("rb", buffering=0) as stream:
            log = PlainLog(stream, path, len(data), step)
            assert table(read_columns(log)) == reference(data, [])
            assert log.odd_bytes == spelled.odd_bytes
            some = read_columns(PlainLog(stream, path, len(data), step), literals)
            assert table(some) == reference(data, literals)
            found = search_columns(PlainLog(stream, path, len(data), step), literals)
            if found is not None:
                assert table(found) == reference(data, literals)
            else:
                assert some.frame("x", "UTC", None)["timestamp"].isna().any()


def write(path: Path, count: int, message: str = "up") -> bytes:
    line = "2025-11-25 22:00:14 [INFO    ] a.b: {} {:06}\n"
    data = "".join(line.format(message, i) for i in range(count)).encode()
    path.write_bytes(data)
    return data


def test_without_reads_at_a_place_it_seeks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "preadv", raising=False)
    monkeypatch.setattr(refilling, "RANGE_BYTES", 1000)
    data = write(tmp_path / "x.log", 500)
    logs = read_logs(tmp_path / "x.log", tz="UTC", progress=False)
    assert logs["message"].tolist() == [f"up {i:06}" for i in range(500)]
    assert logs["line"].iloc[-1] == data.count(b"\n")


def test_what_is_appended_meanwhile_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    write(path, 300)
    with open_plain(path) as log:
        assert log is not None
        write(path, 400)
        assert len(read_columns(log).frame("x.log", "UTC", None)) == 300


def test_a_file_that_shrinks_is_read_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refilling, "RANGE_BYTES", 1000)
    path = tmp_path / "x.log"
    data = write(path, 1000, "lost it")
    sure = refilling.is_plain

    def shrink(path: Path, size: int) -> bool:
        found = sure(path, size)
        real = os.fstat

        def fstat(number: int) -> os.stat_result:
            status = real(number)
            os.truncate(path, len(data) // 2)
            monkeypatch.setattr(refilling.os, "fstat", real)
            return status

        monkeypatch.setattr(refilling.os, "fstat", fstat)
        monkeypatch.setattr(refilling, "is_plain", sure)
        return found

    for matching in (None, "lost it"):
        path.write_bytes(data)
        monkeypatch.setattr(refilling, "is_plain", shrink)
        with pytest.warns(DiagkitWarning, match=r"x\.log: shrank while it was read"):
            logs = read_logs(path, tz="UTC", matching=matching, progress=False)
        assert len(logs) == 500


def test_a_record_that_is_too_long_is_read_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refilling, "RANGE_BYTES", 1000)
    monkeypatch.setattr(refilling, "ROOM_BYTES", 2000)
    path = tmp_path / "x.log"
    data = write(path, 300, "lost it") + b"  more\n" * 1000
    path.write_bytes(data)
    with path.open("rb", buffering=0) as stream:
        log = PlainLog(stream, path, len(data), 1000)
        with pytest.raises(UnfitError):
            read_columns(log)
    for matching in (None, "lost it"):
        logs = read_logs(path, tz="UTC", matching=matching, progress=False)
        assert (len(logs), logs["lines"].iloc[-1]) == (300, 1001)


def test_bytes_that_are_no_text_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(
        write(path, 300) + b"2025-11-25 22:00:14 [INFO    ] a.b: caf\xe9\xff lost it\n"
    )
    for matching in (None, "lost it"):
        with pytest.warns(DiagkitWarning, match=r"x\.log: 2 bytes are no UTF-8"):
            logs = read_logs(path, tz="UTC", matching=matching, progress=False)
        assert logs["message"].iloc[-1] == r"caf\xe9\xff lost it"


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbfup\n", "up\n".encode("utf-16"), b"BZh91AY", b"caf\xe9\n"],
)
def test_what_is_not_plain_is_read_another_way(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.log").write_bytes(data)
    with open_plain(tmp_path / "x.log") as log:
        assert log is None


def test_what_is_not_there_is_read_another_way(tmp_path: Path) -> None:
    with open_plain(tmp_path / "x.log") as log:
        assert log is None


def test_the_bar_is_told_of_every_byte(tmp_path: Path) -> None:
    data = write(tmp_path / "x.log", 300)
    told: list[int] = []
    with open_plain(tmp_path / "x.log", told.append) as log:
        assert log is not None
        frame = read_columns(log).frame("x.log", "UTC", None)
    assert isinstance(frame, pd.DataFrame)
    assert sum(told) == len(data)
