"""Files of samples: appended to, never torn, redacted."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from diagkit.errors import (
    DiagkitWarning,
    SettingError,
    SourceAccessError,
    SourceFormatError,
)
from diagkit.frames.pool import ACTIVITY
from diagkit.sources.activity import read_activity
from diagkit.sources.samplefiles import SampleFile

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(max_size=20)


def sample(second: int, *queries: str | None) -> pd.DataFrame:
    return ACTIVITY.build(
        {
            "timestamp": pd.Timestamp(f"2025-11-24T10:00:{second:02}Z"),
            "pid": list(range(1, len(queries) + 1)),
            "state": "active",
            "query": list(queries),
            "usename": list(queries),
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@settings(max_examples=40)
@given(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=4))
def test_what_was_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, samples: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("x") / f"a{suffix}"
    for second, names in enumerate(samples):
        with SampleFile(path, ACTIVITY) as file:
            file.append(sample(second, *names))
    kept = read_activity(path)
    assert kept["pid"].tolist() == [n + 1 for s in samples for n in range(len(s))]
    # A line is a row: what is no printable character is a space there.
    said = [
        name if name.isprintable() else " ".join(name.split())
        for names in samples
        for name in names
    ]
    assert kept["usename"].fillna("").tolist() == said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::diagkit.errors.DiagkitWarning")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_cut_anywhere_keeps_its_whole_lines(
    tmp_path: Path, suffix: str
) -> None:
    whole = tmp_path / "whole.csv"
    with SampleFile(whole, ACTIVITY) as file:
        for second in range(3):
            file.append(sample(second, "select 1", "begin"))
    data = whole.read_bytes()
    first = data.index(b"\n") + 1
    path = tmp_path / f"cut{suffix}"
    written = path if suffix == ".csv" else tmp_path / "cut.parquet.unfinished.csv"
    for cut in range(first, len(data), 7):
        path.unlink(missing_ok=True)
        written.write_bytes(data[:cut])
        lines = data[first:cut].count(b"\n")
        if lines:
            assert len(read_activity(path)) == lines
        with SampleFile(path, ACTIVITY) as file:
            file.append(sample(9, "commit"))
        kept = read_activity(path)
        assert len(kept) == lines + 1
        assert kept["timestamp"].iloc[-1] == pd.Timestamp("2025-11-24T10:00:09Z")


def test_a_recording_that_was_killed_is_told(tmp_path: Path) -> None:
    with SampleFile(tmp_path / "b.csv", ACTIVITY) as file:
        file.append(sample(1, "x"))
    (tmp_path / "b.csv").rename(tmp_path / "a.parquet.unfinished.csv")
    with pytest.warns(DiagkitWarning, match=r"its recording was ended early; a\.parq"):
        assert len(read_activity(tmp_path / "a.parquet")) == 1


def test_a_kill_between_the_last_two_steps_counts_nothing_twice(tmp_path: Path) -> None:
    path, journal = tmp_path / "a.parquet", tmp_path / "a.parquet.unfinished.csv"
    with SampleFile(path, ACTIVITY) as file:
        file.append(sample(1, "x"))
        written = journal.read_bytes()
    journal.write_bytes(written)
    assert len(read_activity(path)) == 1
    with SampleFile(path, ACTIVITY) as file:
        file.append(sample(2, "x"))
    assert len(read_activity(path)) == 2
    assert not journal.exists()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_somebody_elses_file_is_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    other = pd.DataFrame({"a": [1]})
    if name == "a.csv":
        other.to_csv(path, index=False)
    else:
        other.to_parquet(path)
    held = path.read_bytes()
    with (
        pytest.raises(SourceFormatError, match="is no recording of diagkit's"),
        SampleFile(path, ACTIVITY) as file,
    ):
        file.append(sample(1, "x"))
    assert path.read_bytes() == held


def test_values_are_replaced_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with SampleFile(path, ACTIVITY) as file:
        count = file.append(sample(1, "select 'x', 7", "select 'x', 7", "begin", None))
    assert count == 4
    queries = read_activity(path)["query"]
    assert queries[:3].tolist() == ["select ?", "select ?", "begin"]
    assert queries.isna().tolist() == [False, False, False, True]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceAccessError, match=r"a\.csv: cannot be written \(No such"),
        SampleFile(tmp_path / "none" / "a.csv", ACTIVITY) as file,
    ):
        file.append(sample(1, "x"))


def test_a_full_disk_tears_no_row(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.csv"
    real = os.write

    def write(file: int, data: bytes) -> int:
        if b"second" in data:
            real(file, data[: len(data) // 2])
            return len(data) // 2
        return real(file, data)

    with SampleFile(path, ACTIVITY) as file:
        file.append(sample(1, "first"))
        held = path.read_bytes()
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(SourceAccessError, match="the disk took only a part of it"):
            file.append(sample(2, "second"))
        assert path.read_bytes() == held
        monkeypatch.setattr(os, "write", real)
        file.append(sample(3, "third"))
    assert read_activity(path)["query"].tolist() == ["first", "third"]


def test_a_parquet_file_that_cannot_be_put_in_place_loses_nothing(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "a.parquet"

    def replace(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.replace", replace)
    with (
        pytest.raises(
            SourceAccessError, match=r"stands in a\.parquet\.unfinished\.csv"
        ),
        SampleFile(path, ACTIVITY) as file,
    ):
        file.append(sample(1, "x"))
    assert [f.name for f in tmp_path.iterdir()] == ["a.parquet.unfinished.csv"]
    with pytest.warns(DiagkitWarning, match="was ended early"):
        assert len(read_activity(path)) == 1


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"its name ends with \.csv or \.parquet"):
        SampleFile(tmp_path / "a.json", ACTIVITY)
