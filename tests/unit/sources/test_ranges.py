from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from diagkit.errors import SourceAccessError, SourceNotFoundError
from diagkit.sources import ranges
from diagkit.sources.paths import SourceFile
from diagkit.sources.ranges import (
    Part,
    cut_file,
    find_beginning,
    read_bytes,
    read_own,
)
from diagkit.sources.records import begins_record
from diagkit.sources.remote import RemoteFile

RECORD = "2025-11-25 22:00:14 [INFO    ] a.b: one"
JSON = '{"timestamp": "2025-11-25T22:00:16Z", "level": "info", "message": "two"}'
LINES = st.sampled_from(
    [RECORD, RECORD, JSON, "and on", "  File 'x.py'", "", "ü", "\r", f"{RECORD}\r"]
)
TEXTS = st.tuples(st.lists(LINES, max_size=12), st.sampled_from(["", "\n"])).map(
    lambda text: "\n".join(text[0]) + text[1]
)


def name(path: Path) -> SourceFile:
    return SourceFile(path, path.name)


def beginnings(data: bytes) -> list[int]:
    """Where records begin, told the slow way; and the end."""
    found, at = [], 0
    for line in data.split(b"\n"):
        if begins_record(line.decode().removesuffix("\r")):
            found.append(at)
        at += len(line) + 1
    return [*(place for place in found if place < len(data)), len(data)]


@given(TEXTS, st.integers(1, 300))
@example(f"x\n{RECORD}", 1)
@example(f"x\n{RECORD}", 2)
@example(f"x\n{RECORD}", 3)
def test_the_next_beginning_is_found(text: str, at: int) -> None:
    data = text.encode()
    at = min(at, max(len(data), 1))
    expected = next(place for place in beginnings(data) if place >= min(at, len(data)))
    assert find_beginning(data, at, ended=True) == expected
    # As long as more may come, the last line is not known.
    found = find_beginning(data, at)
    whole = data.rfind(b"\n") + 1
    assert found == (expected if expected < whole else None)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(ranges, "RANGE_BYTES", 100)
    monkeypatch.setattr(ranges, "LOOK_BYTES", 8)
    monkeypatch.setattr(ranges, "STRETCH_BYTES", 5000)
    return monkeypatch


@pytest.mark.parametrize("seed", range(30))
def test_ranges_hold_each_byte_once(tmp_path: Path, small, seed: int) -> None:
    rng = random.Random(seed)
    lines = rng.choices([RECORD, JSON, "and on", "", "ü", "x" * 150], k=60)
    data = ("\n".join(lines) + rng.choice(["", "\n"])).encode()
    small.setattr(ranges, "RANGE_BYTES", rng.choice([10, 50, 100, 1000]))
    (tmp_path / "a.log").write_bytes(data)
    parts = cut_file(name(tmp_path / "a.log"))
    assert len(parts) == -(-len(data) // ranges.RANGE_BYTES)
    found = [read_own(part) for part in parts]
    assert None not in found
    own = [bytes(text) for text in found]
    assert b"".join(own) == data
    starts = set(beginnings(data))
    for part, text in zip(parts, own, strict=True):
        inside = [at for at in starts if part.start <= at < part.stop]
        if part.start:
            # It begins with the first record that begins in it, if one does.
            assert bool(text) == bool(inside)
            assert not text or begins_record(text.decode().split("\n")[0].rstrip("\r"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (f"{RECORD}\n".encode() * 9, ""),
        (f"{RECORD}\n".encode()[:99], "small"),
        (f"{RECORD}\n".encode("utf-8-sig") * 9, "a mark"),
        (f"{RECORD}\n".encode("utf-16") * 9, "UTF-16"),
        (b"\x1f\x8b" + f"{RECORD}\n".encode() * 9, "packed"),
        (b"\x89PNG" + f"{RECORD}\n".encode() * 9, "a picture"),
        (b"".join(b"api-1  | %s\n" % RECORD.encode() for _ in range(9)), "an envelope"),
        (f"{RECORD}\n".encode() * 9 + b"\xff\n", "no UTF-8"),
        (b"x" * 500, "one line"),
    ],
)
def test_what_is_cut(tmp_path: Path, small, data: bytes, why: str) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(data)
    # One line is no reason: it is told when it is read.
    assert (len(cut_file(name(path))) == 1) == (why not in ("", "one line"))
    assert len(cut_file(name(path), whole=True)) == 1


def test_the_head_is_as_many_lines_as_tell_an_envelope(tmp_path: Path, small) -> None:
    small.setattr(ranges, "HEAD_BYTES", 64)
    small.setattr(ranges, "MOST_HEAD_BYTES", 40_000)
    lines = [RECORD] * 150 + [f"api-1  | {RECORD}"] * 3000
    path = tmp_path / "a.log"
    path.write_text("\n".join(lines))
    assert len(cut_file(name(path))) > 1
    lines = [f"api-1  | {RECORD}"] * 3000
    path.write_text("\n".join(lines))
    assert len(cut_file(name(path))) == 1
    # Lines so long that fewer are looked at.
    path.write_text("\n".join([RECORD + "x" * 900] * 199))
    assert len(cut_file(name(path))) == 1


def test_a_long_stretch_without_a_record_is_given_up(tmp_path: Path, small) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"{RECORD}\n" + "and on\n" * 5000 + f"{RECORD}\n")
    first, *_, last = cut_file(name(path))
    assert read_own(first) is None
    assert read_own(last) == f"{RECORD}\n".encode()


def test_a_file_that_became_shorter_is_given_up(tmp_path: Path, small) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"{RECORD}\n" * 99)
    parts = cut_file(name(path))
    path.write_text(f"{RECORD}\n" * 9)
    assert read_own(parts[0]) is not None
    assert read_own(parts[-1]) is None


def test_bytes_that_are_no_utf_8_are_given_up(tmp_path: Path, small) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(f"{RECORD}\n".encode() * 9 + f"{RECORD}\xff\n".encode("latin-1"))
    given_up = [
        read_own(Part(name(path), path.stat().st_size, start, start + 40)) is None
        for start in range(0, 400, 40)
    ]
    assert given_up == [False] * 9 + [True]


def test_parts_say_what_they_are() -> None:
    file = SourceFile(Path("api.log"), "api.log")
    part = Part(file, 5000, 2000, 4000)
    assert (str(part), part.count, part.last) == (
        "api.log, bytes 2,000 to 4,000",
        2000,
        False,
    )
    whole = Part(file, 5000)
    assert (str(whole), whole.count, whole.last) == ("api.log", 5000, True)
    secret = RemoteFile("s3://me:secret@bucket/api.log?sig=1")
    assert str(Part(SourceFile(secret, "api.log"), 5)) == "s3://bucket/api.log"


def test_what_cannot_be_looked_at_is_left_to_who_reads_it(tmp_path: Path) -> None:
    (part,) = cut_file(name(tmp_path / "gone.log"))
    assert (part.stop, part.size) == (None, 0)
    with pytest.raises(SourceNotFoundError, match=r"gone\.log: no such file"):
        read_bytes(tmp_path / "gone.log", 0, 9)


def test_ranges_behind_a_url(small) -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    data = f"{RECORD}\n{JSON}\n".encode() * 9
    with system.open("/ranges/api.log", "wb") as out:
        out.write(data)
    file = RemoteFile("memory://ranges/api.log")
    parts = cut_file(SourceFile(file, "api.log"))
    assert len(parts) > 3
    assert b"".join(map(bytes, map(read_own, parts))) == data
    with pytest.raises(SourceNotFoundError, match=r"memory://ranges/no\.log: no such"):
        read_bytes(RemoteFile("memory://ranges/no.log"), 0, 9)
    with pytest.raises(SourceAccessError, match="cannot be read"):
        read_bytes(RemoteFile("memory://ranges/api.log"), "x", 9)
    system.rm("/ranges", recursive=True)


def test_a_server_without_ranges_is_noticed(small, monkeypatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    with system.open("/ranges/api.log", "wb") as out:
        out.write(f"{RECORD}\n".encode() * 99)
    file = SourceFile(RemoteFile("memory://ranges/api.log"), "api.log")
    parts = cut_file(file)
    monkeypatch.setattr(
        "fsspec.implementations.memory.MemoryFileSystem.cat_file",
        lambda self, path, start=None, end=None: self.open(path).getvalue(),
    )
    assert [read_own(part) for part in parts] == [None] * len(parts)
    small.setattr(ranges, "HEAD_BYTES", 64)
    assert len(cut_file(file)) == 1
    system.rm("/ranges", recursive=True)
