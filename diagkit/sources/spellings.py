"""Records that no single line tells, spelled as the JSON line that says the same.

PostgreSQL writes its log as JSON lines, as a CSV whose rows may go over several lines,
and as text whose prefix may say nothing. All three hold the same: what is no JSON is
spelled as it, and read like it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUOTE = '"'
# A cell and the comma behind it; the quote of the last one may be lost.
CELL = re.compile(
    r'"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"?(?P<tail>[^,]*+)(?:,|\Z)'
    r"|(?P<plain>[^,]*+)(?:,|\Z)"
)


@dataclass(frozen=True)
class Spelling:
    """How the records of a log are spelled.

    Attributes
    ----------
    begins
        Fits the first line of a record; its groups are named like the keys of the JSON
        line.
    goes_on
        Fits the further lines; None where a record is a row of a CSV, which goes on as
        long as quotes are open. A group ``label`` takes what of such a line belongs
        to the message.
    columns
        The keys of a row's cells.
    signs
        Found in lines that nothing else writes; None where `begins` is sign enough.
    fields
        What the JSON line holds unless the record says it.
    """

    begins: re.Pattern[str]
    goes_on: re.Pattern[str] | None = None
    columns: tuple[str, ...] = ()
    signs: re.Pattern[str] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def follow(self) -> Callable[[str], bool | None]:
        r"""Return what tells the lines of one log, in order.

        Returns
        -------
        callable
            Takes a line; says True where it begins a record, False where it goes on
            with one, and None where it does neither.

        Examples
        --------
        >>> rows = Spelling(re.compile(r'\d+,".*', re.DOTALL), columns=("n", "message"))
        >>> list(map(rows.follow(), ['1,"up', 'and on"', "and what?"]))
        [True, False, None]
        """
        quotes: int | None = None  # of the record that is open

        def tell(line: str) -> bool | None:
            nonlocal quotes
            if self.begins.fullmatch(line):
                quotes = line.count(QUOTE)
                return True
            if quotes is None or not self._belongs(line, quotes):
                quotes = None
                return None
            quotes += line.count(QUOTE)
            return False

        return tell

    def is_sign(self, line: str) -> bool:
        """Say whether a line of a record shows that the log is spelled so.

        Parameters
        ----------
        line
            The line.

        Returns
        -------
        bool
            False where another program may write such lines.
        """
        return self.signs is None or self.signs.search(line) is not None

    def spell(self, text: str) -> str:
        r"""Spell a record as a JSON line.

        Parameters
        ----------
        text
            All its lines.

        Returns
        -------
        str
            The JSON line; the text itself where it is no such record.

        Examples
        --------
        >>> rows = Spelling(re.compile(r'\d+,".*', re.DOTALL), columns=("n", "message"))
        >>> rows.spell('1,"he said ""up""\nat noon"')
        '{"n": "1", "message": "he said \\"up\\"\\nat noon"}'
        """
        first, *rest = text.split("\n")
        match = self.begins.fullmatch(first)
        if match is None:
            return text
        data = dict(self.fields)
        if self.columns:
            cells = zip(self.columns, _cut_cells(text), strict=False)
            data |= {name: cell for name, cell in cells if cell}
            data |= match.groupdict()
        else:
            data |= {key: said for key, said in match.groupdict().items() if said}
            data["message"] = "\n".join([match["message"], *map(self._trim, rest)])
        return json.dumps(data, ensure_ascii=False)

    def _belongs(self, line: str, quotes: int) -> bool:
        if self.goes_on is None:
            return quotes % 2 == 1
        return self.goes_on.fullmatch(line) is not None

    def _trim(self, line: str) -> str:
        match = self.goes_on.fullmatch(line) if self.goes_on else None
        return (match["label"] if match else None) or line


def _cut_cells(text: str) -> list[str]:
    cells: list[str] = []
    at = 0
    while at < len(text):
        match = CELL.match(text, at)
        assert match is not None  # it takes whatever comes
        quoted = match["quoted"]
        cells.append(
            match["plain"]
            if quoted is None
            else quoted.replace(2 * QUOTE, QUOTE) + match["tail"]
        )
        at = match.end()
    return cells
