"""The files of a recorder: turned, bounded, torn, refused, and read again."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa

from diagkit.errors import DiagkitWarning, SourceFormatError, SourceNotFoundError
from diagkit.frames.checkouts import CHECKOUTS, POOL_EVENTS
from diagkit.frames.pool import POOL
from diagkit.sources.checkouts import (
    read_checkouts,
    read_pool_events,
    read_recorded_pool,
)
from diagkit.sources.entries import NOTE
from diagkit.sources.recorder import PoolRecorder
from diagkit.sources.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sa.QueuePool)
    yield engine
    engine.dispose()


def use(engine: sa.Engine, times: int = 1) -> None:
    for _ in range(times):
        engine.connect().close()


def test_disk_is_bounded_and_what_is_held_is_kept(
    engine: sa.Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "rec"
    with PoolRecorder(engine, folder, max_bytes=4000, max_files=3) as recorder:
        held = engine.connect()
        use(engine, 200)
        recorder.flush()
        files = sorted(folder.iterdir())
        assert len(files) == 3
        assert all(file.stat().st_size <= 4000 for file in files)
        held.close()
        held = engine.connect()
    rows = read_checkouts(folder)
    first = rows.iloc[0]
    assert first["checkout_id"].endswith("-1")
    assert first["outcome"] == "returned"
    assert first["held_s"] > 0
    assert rows["outcome"].tolist()[-1] == "held"
    assert rows["checkout_id"].is_unique
    assert 5 < len(rows) < 60
    held.close()


def test_an_end_that_was_not_recorded_is_missing(
    engine: sa.Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "rec"
    with PoolRecorder(engine, folder, max_bytes=3000):
        use(engine, 30)
    first = sorted(folder.iterdir())[0]
    lines = first.read_text().splitlines(keepends=True)
    ends = [line for line in lines if '"checkin"' in line]
    # As if the disk had been full when these were to be written.
    first.write_text("".join(line for line in lines if line not in ends))
    rows = read_checkouts(folder)
    lost = rows[rows["outcome"].isna()]
    assert len(lost) == len(ends) > 2
    assert lost["held_s"].isna().all()
    assert lost["ended_at"].isna().all()
    assert len(rows) == 30


def test_a_torn_line_is_left_out_and_told(engine: sa.Engine, tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    with PoolRecorder(engine, folder):
        use(engine, 2)
    (file,) = folder.iterdir()
    text = file.read_text()
    file.write_text(text[: text.rindex('"outcome"')])
    with pytest.warns(DiagkitWarning, match="the last line was cut off"):
        rows = read_checkouts(folder)
    assert rows["outcome"].tolist() == ["returned", "held"]
    file.write_text("\x00 no line\n[1]\n{}\n" + text)
    with pytest.warns(DiagkitWarning, match=r":1: no line of a recorder \(3 left out"):
        assert len(read_checkouts(folder)) == 2


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no such folder"):
        read_checkouts(tmp_path / "none")
    with pytest.raises(SourceFormatError, match="no recording of a pool"):
        read_recorded_pool(tmp_path)
    (tmp_path / "pool-1-1.000001.jsonl").write_text(
        '{"event":"start","at":1,"version":2}\n'
    )
    with pytest.raises(SourceFormatError, match="written by a newer diagkit"):
        read_pool_events(tmp_path)


def test_an_empty_recording_is_empty_frames(tmp_path: Path) -> None:
    (tmp_path / "pool-1-1.000001.jsonl").write_text("")
    for read, contract in (
        (read_checkouts, CHECKOUTS),
        (read_recorded_pool, POOL),
        (read_pool_events, POOL_EVENTS),
    ):
        frame = read(tmp_path)
        assert len(frame) == 0
        expected = contract.empty().dtypes
        found = frame[contract.names].dtypes
        assert [
            isinstance(dtype, pd.CategoricalDtype) or dtype == expected[name]
            for name, dtype in found.items()
        ] == [True] * len(expected)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
@pytest.mark.usefixtures("unprivileged")
def test_a_folder_that_refuses_is_told_once(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    with (
        caplog.at_level(logging.WARNING, "diagkit.recorder"),
        PoolRecorder(engine, "/proc/diagkit") as recorder,
    ):
        use(engine, 5)
        assert recorder.checked_out == 0
        recorder.flush()
        assert recorder.lost > 10
    engine.dispose()
    (record,) = caplog.records
    assert "cannot write" in record.getMessage()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk at hand")  # noqa: PTH110
def test_a_full_disk_is_told_once_and_got_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagkit.sources.recordings._RETRY_S", 0.0)
    recording = Recording(tmp_path / "rec", head, 1000, 5)
    with caplog.at_level(logging.WARNING, "diagkit.recorder"):
        put(recording, "one")
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, recording._file or -1)
        os.close(full)
        put(recording, "two")
        put(recording, "three")
        recording.close()
        put(recording, "four")
    assert recording.lost == 1
    assert [r.getMessage() for r in caplog.records] == [
        "the pool recorder cannot write (No space left on device); it goes on trying, "
        "and what happens meanwhile is lost"
    ]
    files = sorted((tmp_path / "rec").iterdir())
    assert [events(file) for file in files] == [["start", "one"], ["start", "three"]]
    assert (recording.number, recording.part) == (1, 2)


def head() -> str:
    return '"pool":"p","size":1,"max_overflow":1'


def put(recording: Recording, event: str) -> None:
    recording.put((NOTE, 1, 0, 0, event, 0, ""))
    recording.flush()


def events(file: Path) -> list[str]:
    return [json.loads(line)["event"] for line in file.read_text().splitlines()]


def test_an_opening_that_fails_leaves_no_file(tmp_path: Path) -> None:
    fails = [True]

    def refused() -> str:
        if fails:
            raise OSError(28, "No space left on device")
        return head()

    recording = Recording(tmp_path, refused, 1000, 5)
    put(recording, "one")
    assert list(tmp_path.iterdir()) == []
    fails.clear()
    put(recording, "too early")
    assert recording.lost == 2
    recording._retry_at = 0.0
    put(recording, "two")
    recording.close()
    (file,) = tmp_path.iterdir()
    assert events(file) == ["start", "two"]


def test_recordings_of_one_process_id_are_told_apart(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        recording = Recording(tmp_path, head, 1000, 5)
        put(recording, str(number))
        assert recording.number == number
        recording.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [f"pool-{os.getpid()}-{n}.000001.jsonl" for n in (1, 2, 3)]
