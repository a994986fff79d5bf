"""Bytes to text, block by block: which encoding, what is none, where lines end."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOMS = (
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
SURROGATE = re.compile("[\ud800-\udfff]")


def find_encoding(head: bytes) -> str:
    r"""Tell the encoding of a text by its first bytes.

    Parameters
    ----------
    head
        Its first bytes.

    Returns
    -------
    str
        ``utf-16`` or ``utf-8-sig`` where a mark says so; ``utf-16-le`` or ``utf-16-be``
        where nearly every second byte is NUL, and hardly one between them; else
        ``utf-8``.

    Examples
    --------
    >>> find_encoding(b"\xff\xfeu\x00p\x00"), find_encoding("up since noon".encode())
    ('utf-16', 'utf-8')
    >>> find_encoding("2025-11-24 18:17:11 up".encode("utf-16-le"))
    'utf-16-le'
    """
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    half = len(head) // 2
    first, second = head[::2].count(0), head[1::2].count(0)
    # Text without a single blank or digit has no NUL either; that is no log.
    if half >= 16 and second > 0.6 * half and first < 0.05 * half:
        return "utf-16-le"
    if half >= 16 and first > 0.6 * half and second < 0.05 * half:
        return "utf-16-be"
    return "utf-8"


class Decoder:
    r"""Turns bytes into text, block by block, and spells out those that are none.

    Parameters
    ----------
    encoding
        As `find_encoding` names it.

    Attributes
    ----------
    encoding
        Without what tells whether there is a mark.
    odd_bytes
        How many bytes were spelled out up to now.

    Examples
    --------
    >>> decoder = Decoder("utf-8")
    >>> decoder.decode(b"caf\xe9 \xe2\x82") + decoder.decode(b"\xac", final=True)
    'caf\\xe9 €'
    >>> decoder.odd_bytes
    1
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding.removesuffix("-sig")
        self.odd_bytes = 0
        self._width = 1 if self.encoding == "utf-8" else 2
        errors = "surrogateescape" if self._width == 1 else "surrogatepass"
        self._decoder = getincrementaldecoder(encoding)(errors)
        # Before the first byte there may be a mark.
        self._begun = False

    def decode(self, data: bytes, *, final: bool = False) -> str:
        """Decode the next block.

        Parameters
        ----------
        data
            It may begin and end within a character.
        final
            Whether it is the last one.

        Returns
        -------
        str
            The text, without a mark of the encoding.
        """
        text = self._decoder.decode(data)
        # Both error handlers leave lone surrogates, which no text has: a look for them
        # costs next to nothing where there are none.
        try:
            if not text.isascii():
                text.encode()
        except UnicodeEncodeError:
            text, count = SURROGATE.subn(self._spell, text)
            self.odd_bytes += count * self._width
        if final:
            rest = bytes(self._decoder.getstate()[0])
            self.odd_bytes += len(rest)
            text += "".join(f"\\x{byte:02x}" for byte in rest)
        return text

    def to_utf8(self, data: bytes, *, final: bool = False) -> bytes:
        r"""Decode the next block, as UTF-8 without a mark.

        Parameters
        ----------
        data, final
            As for `decode`.

        Returns
        -------
        bytes
            What `decode` gives, encoded.

        Examples
        --------
        >>> Decoder("utf-8").to_utf8(b"caf\xe9!")
        b'caf\\xe9!'
        """
        plain = self._begun and self._width == 1 and not final and data.isascii()
        if plain and not self._decoder.getstate()[0]:
            return data
        self._begun = self._begun or bool(data)
        return self.decode(data, final=final).encode()

    def _spell(self, match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code - 0xDC00:02x}" if self._width == 1 else f"\\u{code:04x}"


def cut_lines(texts: Iterable[str]) -> Iterator[list[str]]:
    r"""Cut blocks of text into lines.

    Parameters
    ----------
    texts
        Blocks; a line may reach over many of them.

    Yields
    ------
    list of str
        Whole lines, without their ends (``\n`` or ``\r\n``).

    Examples
    --------
    >>> list(cut_lines(["a\r", "\nb", "b\nc"]))
    [['a'], ['bb'], ['c']]
    """
    parts: list[str] = []
    for text in texts:
        lines = text.split("\n")
        if len(lines) == 1:
            parts += lines
            continue
        parts.append(lines[0])
        lines[0] = "".join(parts)
        parts = [lines.pop()]
        if "\r" in text or lines[0].endswith("\r"):
            lines = [line.removesuffix("\r") for line in lines]
        yield lines
    last = "".join(parts)
    if last:
        yield [last.removesuffix("\r")]
