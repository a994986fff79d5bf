from __future__ import annotations

import gzip
import pickle
import sys
from typing import TYPE_CHECKING

import pytest

import diagkit as dk
from diagkit.errors import (
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceNotFoundError,
)
from diagkit.sources.paths import find_files
from diagkit.sources.remote import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

fsspec = pytest.importorskip("fsspec")
LINE = b"2025-11-24 18:17:11 - root - INFO - up\n"


@pytest.fixture
def memory() -> Iterator[object]:
    system = fsspec.filesystem("memory")
    for name, data in {
        "api.log": LINE * 2,
        "api.log.1": LINE,
        "api.log.2.gz": gzip.compress(LINE * 3),
        "sub/b.log": LINE,
        ".git/x": b"x",
        "empty.log": b"",
    }.items():
        with system.open(f"/logs/{name}", "wb") as out:
            out.write(data)
    yield system
    system.rm("/logs", recursive=True)


@pytest.mark.usefixtures("memory")
def test_a_folder_a_glob_and_a_file_behind_a_url(tmp_path: Path) -> None:
    rotated = ["api.log.2.gz", "api.log.1", "api.log"]
    found = find_files("memory://logs")
    assert [file.name for file in found] == [*rotated, "empty.log", "sub/b.log"]
    assert [file.name for file in find_files("memory://logs/api*")] == rotated
    assert [file.name for file in find_files("memory://logs/sub/b.log")] == ["b.log"]
    (tmp_path / "x.log").write_text("x")
    both = find_files([tmp_path / "x.log", "memory://logs/api.log"])
    assert [file.name for file in both] == ["x.log", "memory://logs/api.log"]


@pytest.mark.usefixtures("memory")
def test_logs_behind_a_url_are_read() -> None:
    with pytest.warns(dk.DiagkitWarning, match=r"empty\.log: the file is empty"):
        logs = dk.read_logs("memory://logs", tz="UTC", progress=False)
    assert logs["source"].value_counts().to_dict() == {
        "api.log.2.gz": 3,
        "api.log.1": 1,
        "api.log": 2,
        "sub/b.log": 1,
    }
    assert (logs["level"] == "INFO").all()


@pytest.mark.usefixtures("memory")
def test_a_remote_file_is_told_from_nothing() -> None:
    file = RemoteFile("memory://logs/api.log")
    assert file.is_file()
    assert file.stat().st_size == 2 * len(LINE)
    assert str(file.parent) == "memory://logs"
    assert pickle.loads(pickle.dumps(file)) == file
    with pytest.raises(SourceNotFoundError, match=r"no\.log: no such file or folder"):
        RemoteFile("memory://logs/no.log").open()
    for url in ("memory://logs/no.log", "memory://logs/no*", "memory://nowhere"):
        with pytest.raises(SourceNotFoundError, match="no such file or folder"):
            find_files(url)


def test_no_error_shows_a_password(memory) -> None:
    for name in "xy":
        with memory.open(f"/me:secret@pictures/{name}.bin", "wb") as out:
            out.write(bytes(range(256)) * 9)
    said = r"^memory://pictures: holds no log that can be read \(x\.bin: "
    with pytest.raises(dk.SourceFormatError, match=said):
        dk.read_logs("memory://me:secret@pictures", tz="UTC")
    memory.rm("/me:secret@pictures", recursive=True)


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        (
            "postgresql://me:secret@db/x",
            SettingError,
            "^postgresql://db/x: is no URL of",
        ),
        ("nofs://x", SettingError, "is no URL of a file system that is known"),
    ],
)
def test_urls_that_are_none(url: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        dk.read_logs(url)


def test_what_urls_need_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match="s3:// needs a package that is not"):
        find_files("s3://bucket/x.log")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r'pip install "diagkit\[remote\]"'):
        find_files("memory://logs")


@pytest.mark.usefixtures("memory")
def test_what_breaks_on_the_way_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenError(Exception):
        pass

    def fail(*_: object) -> bytes:
        msg = "the line\nwent dead"
        raise BrokenError(msg)

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFile.read", fail)
    said = r"^memory://logs/api\.log: cannot be read \(the line went dead\)$"
    with pytest.raises(SourceAccessError, match=said):
        dk.read_logs("memory://logs/api.log", tz="UTC")
