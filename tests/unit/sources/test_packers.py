from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from diagkit.errors import DiagkitWarning, SourceFormatError
from diagkit.sources import packers
from diagkit.sources.files import iterate_lines
from diagkit.sources.packers import Limits

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"2025-11-24 18:17:11 - root - INFO - up\n" * 5_000


@pytest.fixture
def zstd(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What Python 3.14 has to unpack zstd; before, the same from a backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd as own

        return own
    backport = pytest.importorskip("backports.zstd")
    package = ModuleType("compression")
    monkeypatch.setattr(package, "zstd", backport, raising=False)
    monkeypatch.setitem(sys.modules, "compression", package)
    monkeypatch.setitem(sys.modules, "compression.zstd", backport)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    newer = SimpleNamespace(version_info=(3, 14))
    monkeypatch.setattr(packers, "sys", newer)
    return backport


def test_the_standard_library_unpacks_zstd(tmp_path: Path, zstd: Any) -> None:
    path = tmp_path / "x.log.zst"
    frames = (TEXT[:7], b"", TEXT[7:])
    for packed in (zstd.compress(TEXT), b"".join(map(zstd.compress, frames))):
        path.write_bytes(packed)
        assert list(iterate_lines(path)) == TEXT.decode().splitlines()


@pytest.mark.parametrize(
    ("cut", "more", "said"),
    [
        (-9, b"", "the packed data ends before its last frame does"),
        (None, b"no frame at all", "what stands before is read"),
    ],
)
def test_damage_is_told(
    tmp_path: Path, zstd: Any, cut: int | None, more: bytes, said: str
) -> None:
    path = tmp_path / "x.log.zst"
    path.write_bytes(zstd.compress(TEXT)[:cut] + more)
    with pytest.warns(DiagkitWarning, match=said):
        lines = list(iterate_lines(path))
    assert TEXT.decode().startswith("\n".join(lines))


def test_a_bomb_is_refused(tmp_path: Path, zstd: Any) -> None:
    path = tmp_path / "x.log.zst"
    path.write_bytes(zstd.compress(b"\n" * 20_000_000))
    with pytest.raises(SourceFormatError, match="more than 300 times its size"):
        list(iterate_lines(path, Limits(free_bytes=1)))
