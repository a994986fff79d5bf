from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from diagkit.errors import (
    DiagkitWarning,
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.sources import files, packers
from diagkit.sources.decoding import Decoder, cut_lines, find_encoding
from diagkit.sources.files import (
    find_binary,
    iterate_lines,
    open_bytes,
    read_head,
    refuse_empty,
)
from diagkit.sources.packers import Limits, find_packer
from diagkit.sources.paths import find_files

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "one\ntwö\n\nfour"
LONG = "2025-11-24 18:17:11 up and running\n" * 3


def zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd as own

        return own.compress(data)
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


PACKS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


@pytest.mark.parametrize(
    "pack",
    [
        lambda b: b,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        zstd,
        lambda b: zstd(b[:5]) + zstd(b"") + zstd(b[5:]),
        lambda b: gzip.compress(b[:5]) + gzip.compress(b[5:]),
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


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_seen(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(LONG.encode(encoding))
    assert find_binary(LONG.encode(encoding) * 9) == ""
    assert list(iterate_lines(path)) == LONG.splitlines()


def test_bytes_that_are_no_text_are_spelled_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"caf\xe9 au lait\xff\nnext")
    with pytest.warns(DiagkitWarning, match=r"x\.log: 2 bytes are no UTF-8; they are"):
        assert list(iterate_lines(path)) == ["caf\\xe9 au lait\\xff", "next"]


def test_half_characters_of_utf_16_are_spelled_out(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"\xff\xfea\x00\x00\xd8\n\x00b\x00c")
    with pytest.warns(DiagkitWarning, match="3 bytes are no UTF-16"):
        assert list(iterate_lines(path)) == ["a\\ud800", "b\\x63"]


def spell_out(data: bytes) -> list[str]:
    """The slow reference: what the lines of bytes in UTF-8 are."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="backslashreplace")
    lines = text.split("\n")
    lines = lines if lines[-1] else lines[:-1]
    return [line.removesuffix("\r") for line in lines]


pieces = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.sampled_from([b"\n", b"\r\n", b"\xe2\x80\xa8", b"\x85", "é日".encode()]),
    ),
    max_size=20,
)


@given(pieces)
def test_any_bytes_cut_anywhere_are_the_same_lines(parts: list[bytes]) -> None:
    decoder = Decoder("utf-8-sig")
    texts = [decoder.decode(part) for part in parts] + [decoder.decode(b"", final=True)]
    lines = [line for lines in cut_lines(texts) for line in lines]
    assert lines == spell_out(b"".join(parts))


@given(st.binary(max_size=40), st.integers(1, 7))
def test_any_utf_16_cut_anywhere_is_the_same(data: bytes, size: int) -> None:
    whole, parted = Decoder("utf-16-le"), Decoder("utf-16-le")
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    text = "".join(map(parted.decode, parts)) + parted.decode(b"", final=True)
    assert text == whole.decode(data) + whole.decode(b"", final=True)
    assert parted.odd_bytes == whole.odd_bytes


@pytest.mark.filterwarnings("ignore:.*bytes are no UTF-8")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(pieces, st.sampled_from([None, *PACKS]))
def test_any_bytes_in_any_packing(
    tmp_path: Path, parts: list[bytes], pack: str | None
) -> None:
    data = b"".join(parts)
    if find_encoding(data) == "utf-16" or find_packer(data) or find_binary(data):
        return
    path = tmp_path / "x.log"
    path.write_bytes(PACKS[pack](data) if pack else data)
    assert list(iterate_lines(path)) == spell_out(data)


def test_a_line_as_long_as_many_blocks(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with path.open("wb") as out:
        out.write(b"short\n")
        for _ in range(12):
            out.write(b"x" * 1_000_000)
        out.write(b"\r\nlast\r\n")
    lines = list(iterate_lines(path))
    assert [len(line) for line in lines] == [5, 12_000_000, 4]


def test_a_file_that_begins_with_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(bytes(20_000) + b"up\n")
    assert list(iterate_lines(path)) == ["\x00" * 20_000 + "up"]


def test_what_is_appended_meanwhile_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"x" * 3_000_000 + b"\n")
    lines = iterate_lines(path)
    with open_bytes(path) as stream:
        stream.read(10)
        with path.open("ab") as more:
            more.write(b"later\n")
        assert len(stream.read()) == 3_000_001 - 10
    assert [len(line) for line in lines] == [3_000_000, 5]


def test_a_file_that_is_cut_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"up\n" * 1_000_000)
    lines = iterate_lines(path)
    assert next(lines) == "up"
    os.truncate(path, 0)
    with pytest.warns(DiagkitWarning, match=r"x\.log: shrank while it was read"):
        assert len(list(lines)) < 1_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in the file system")
def test_a_pipe_is_read(tmp_path: Path) -> None:
    import threading

    path = tmp_path / "pipe"
    os.mkfifo(path)
    refuse_empty(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b"a\nb"),))
    writer.start()
    assert list(iterate_lines(path)) == ["a", "b"]
    writer.join()


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("a\u2028b\x0bc\x0cd\x85e\rf\n", encoding="utf-8", newline="")
    assert len(list(iterate_lines(path))) == 1


@pytest.mark.parametrize("how", PACKS)
def test_a_cut_archive_gives_what_was_readable(tmp_path: Path, how: str) -> None:
    path = tmp_path / f"x.log.{how}"
    lines = [os.urandom(20).hex() for _ in range(60_000)]
    data = PACKS[how]("\n".join(lines).encode())
    path.write_bytes(data[: len(data) // 2])
    said = rf"x\.log\.{how}: damaged after line (\d+) \(.+\); what stands before is"
    with pytest.warns(DiagkitWarning, match=said) as warned:
        read = list(iterate_lines(path))
    whole = int(str(warned[0].message).split("line ")[1].split()[0])
    # bz2 gives whole blocks of 900 kB only.
    assert whole > 20_000
    assert read[:whole] == lines[:whole]
    assert len(read) - whole <= 1
    assert read[-1] == lines[len(read) - 1][: len(read[-1])]


@pytest.mark.parametrize("how", PACKS)
def test_an_archive_of_nonsense(tmp_path: Path, how: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(PACKS[how](b"x" * 99)[:9] + b"\xee" * 20)
    with pytest.raises(SourceError, match=r"x\.log: the packed file is damaged \("):
        list(iterate_lines(path))


@pytest.mark.parametrize("how", PACKS)
def test_what_follows_an_archive_is_told(tmp_path: Path, how: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(PACKS[how](b"one\ntwo") + b"garbage!" * 9)
    if how in ("bz2", "xz"):  # Python passes over it, as bunzip2 does
        assert list(iterate_lines(path)) == ["one", "two"]
        return
    with pytest.warns(DiagkitWarning, match="damaged after line 1"):
        assert list(iterate_lines(path)) == ["one", "two"]


@pytest.mark.parametrize("how", PACKS)
def test_a_bomb_is_stopped(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FREE_BYTES", 1_000_000)
    path = tmp_path / "bomb.log"
    path.write_bytes(PACKS[how](b"0" * 20_000_000))
    with pytest.raises(SourceFormatError, match="more than 300 times its size"):
        list(iterate_lines(path))
    with pytest.raises(SourceFormatError, match="more than 5,000 bytes"):
        list(iterate_lines(path, Limits(max_bytes=5000)))
    (line,) = iterate_lines(path, Limits(max_ratio=1e6))
    assert len(line) == 20_000_000


def test_what_unpacks_zstd_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(zstd(b"up"))
    monkeypatch.setattr(packers.sys, "version_info", (3, 11))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    said = r'x\.log: a file packed with zstd needs .* pip install "diagkit\[zstd\]"'
    with pytest.raises(MissingExtraError, match=said):
        list(iterate_lines(path))
    with pytest.raises(SourceAccessError, match=said):
        read_head(path)


def test_an_interrupt_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "x.log.gz"
    path.write_bytes(gzip.compress(b"up\n" * 1_000_000))
    lines = iterate_lines(path)
    next(lines)
    assert str(path) in [file.path for file in psutil.Process().open_files()]
    lines.close()
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


def test_rotated_files_come_in_the_order_of_writing(tmp_path: Path) -> None:
    for name in ("api.log", "api.log.1", "api.log.10.gz", "api.log.2.gz", "b.log"):
        (tmp_path / name).write_bytes(b"x")
    names = [file.name for file in find_files(tmp_path)]
    assert names == ["api.log.10.gz", "api.log.2.gz", "api.log.1", "api.log", "b.log"]


@pytest.mark.parametrize(
    "names",
    [
        ["api.log-20251123.gz", "api.log-20251124", "api.log"],
        ["api.2025-11-23.log.gz", "api.2025-11-24.log", "api.log"],
        ["api.log.2025-11-23_22", "api.log.2025-11-23_23", "api.log.2025-11-24_00"],
        ["api-20251124.2.log", "api-20251124.10.log", "api.log", "b.log"],
        ["api.log-1763942400", "api.log-1764028800.zst", "api.log"],
        ["api.log.10.xz", "api.log.9", "api.log.0", "api.log"],
        ["api.00.log", "api.01.log.gz", "api.02.log"],
        ["api.2025-11-23_00-00-00_123456.log", "api.2025-11-23_00-00-01_000001.log"],
        ["other.20259999.log", "other.log"],
    ],
)
def test_rotated_sets_come_in_the_order_of_writing(
    tmp_path: Path, names: list[str]
) -> None:
    for name in reversed(names):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in find_files(tmp_path)] == names
    assert [file.name for file in find_files(f"{tmp_path}/*")] == names


def test_file_urls(tmp_path: Path) -> None:
    (tmp_path / "a b.log").write_text("x")
    url = (tmp_path / "a b.log").as_uri()
    assert [file.name for file in find_files(url)] == ["a b.log"]
    assert [file.name for file in find_files(tmp_path.as_uri())] == ["a b.log"]
    with pytest.raises(SettingError, match="names a file of this machine"):
        find_files("file://server/share/x.log")


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
        ("nofs://bucket/x.log", SettingError, "nofs://bucket/x.log: is no URL of a"),
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
