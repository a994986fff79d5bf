from __future__ import annotations

import bz2
import gzip
import lzma
import os
from typing import TYPE_CHECKING

import pytest

from diagkit.errors import (
    DiagkitWarning,
    SettingError,
    SourceAccessError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.sources import files
from diagkit.sources.files import find_binary, iterate_lines
from diagkit.sources.paths import find_files

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "one\ntwö\n\nfour"


@pytest.mark.parametrize(
    "pack",
    [
        lambda b: b,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.decode().encode("utf-16"),
        lambda b: gzip.compress(b.decode().encode("utf-16")),
    ],
)
def test_the_same_lines_however_they_are_packed(tmp_path: Path, pack) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(pack(TEXT.encode()))
    assert list(iterate_lines(path)) == TEXT.split("\n")


def test_bytes_that_are_no_text_are_spelled_out(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"caf\xe9 au lait\nnext")
    assert list(iterate_lines(path)) == ["caf\\xe9 au lait", "next"]


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("a\u2028b\x0bc\x0cd\x85e\rf\n", encoding="utf-8", newline="")
    assert len(list(iterate_lines(path))) == 1


def test_a_cut_archive_gives_what_was_readable(tmp_path: Path) -> None:
    path = tmp_path / "x.log.gz"
    data = gzip.compress(os.urandom(30_000).hex(" ", 16).replace(" ", "\n").encode())
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(DiagkitWarning, match=r"x\.log\.gz: damaged after line \d+"):
        assert len(list(iterate_lines(path))) > 100


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FREE_BYTES", 1_000_000)
    path = tmp_path / "bomb.log.gz"
    path.write_bytes(gzip.compress(b"0" * 20_000_000))
    with pytest.raises(SourceFormatError, match="more than 300 times its size"):
        list(iterate_lines(path))


def test_rotated_files_come_in_the_order_of_writing(tmp_path: Path) -> None:
    for name in ("api.log", "api.log.1", "api.log.10.gz", "api.log.2.gz", "b.log"):
        (tmp_path / name).write_bytes(b"x")
    names = [file.name for file in find_files(tmp_path)]
    assert names == ["api.log.10.gz", "api.log.2.gz", "api.log.1", "api.log", "b.log"]


def test_names_are_relative_and_tell_files_apart(tmp_path: Path) -> None:
    for name in ("a/x.log", "b/x.log", ".hidden/x.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [f.name for f in find_files(tmp_path)] == ["a/x.log", "b/x.log"]
    assert [f.name for f in find_files(tmp_path / "a/x.log")] == ["x.log"]
    pair = [tmp_path / "b/x.log", tmp_path / "a/x.log"]
    assert [f.name for f in find_files(pair)] == ["b/x.log", "a/x.log"]
    assert [f.name for f in find_files(f"{tmp_path}/*/x.log")] == ["a/x.log", "b/x.log"]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere.log", SourceNotFoundError, "nowhere.log: no such file or folder"),
        ("*.log", SourceNotFoundError, "no such file or folder"),
        ("", SourceNotFoundError, "the folder holds no file"),
        ("s3://bucket/x.log", SettingError, "only local files are read"),
    ],
)
def test_what_is_not_there_is_told(
    tmp_path: Path, name: str, error: type[Exception], said: str
) -> None:
    where = name if "://" in name else str(tmp_path / name)
    with pytest.raises(error, match=said.replace("*", r"\*")):
        find_files(where)


def test_no_path_at_all() -> None:
    with pytest.raises(SettingError, match="no path was given"):
        find_files([])


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"SQLite format 3\x00", "a SQLite database"),
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (bytes(range(256)) * 4, "binary data"),
        (b"\x00\x00\n\xc3\x28\n", ""),
        (("日本語 " * 100).encode(), ""),
        (b"caf\xe9 au lait " * 50, ""),
    ],
)
def test_binaries_are_told_from_text(head: bytes, said: str) -> None:
    assert find_binary(head) == said


def test_a_file_that_may_not_be_read(tmp_path: Path, request) -> None:
    path = tmp_path / "x.log"
    path.write_text("x")
    path.chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(SourceAccessError, match="may not be read"):
        list(iterate_lines(path))
