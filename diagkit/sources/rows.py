"""Records as columns of numbers, before they are a frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """Records as columns, in the order of their lines.

    Attributes
    ----------
    line, lines
        As in LOGS; the first line of the block is 0.
    micros, zoned
        Times, as `clocks.read_clocks` gives them.
    raw
        Times that are still as they were written, by row.
    level, logger, exception
        Their numbers in `Words`.
    message
        Text.
    traceback
        Text by row, of the rows that have one.
    """

    line: Ints
    lines: Ints
    micros: Ints
    zoned: Bools
    raw: dict[int, object]
    level: Ints
    logger: Ints
    exception: Ints
    message: pa.LargeStringArray
    traceback: dict[int, str]

    def moved(self, by: Ints | int) -> Rows:
        """Return the same records, further down in the file.

        Parameters
        ----------
        by
            By how many lines.

        Returns
        -------
        Rows
            They.
        """
        return replace(self, line=self.line + by)

    def take(self, rows: Ints) -> Rows:
        """Return some of the records.

        Parameters
        ----------
        rows
            Which, in rising order.

        Returns
        -------
        Rows
            They.
        """
        import pyarrow as pa

        if len(rows) == len(self.line):
            return self
        place = {int(row): at for at, row in enumerate(rows.tolist())}
        return Rows(
            line=self.line[rows],
            lines=self.lines[rows],
            micros=self.micros[rows],
            zoned=self.zoned[rows],
            raw={place[row]: raw for row, raw in self.raw.items() if row in place},
            level=self.level[rows],
            logger=self.logger[rows],
            exception=self.exception[rows],
            message=self.message.take(pa.array(rows)),
            traceback={
                place[row]: text for row, text in self.traceback.items() if row in place
            },
        )

    def hold(self, literals: Sequence[str]) -> Bools:
        """Say which records hold one of some literals.

        Parameters
        ----------
        literals
            What is looked for in messages and tracebacks.

        Returns
        -------
        numpy.ndarray
            True where there is one.
        """
        import pyarrow.compute as pc

        held = np.zeros(len(self.line), bool)
        for literal in literals:
            found = pc.match_substring(self.message, literal)
            held |= found.to_numpy(zero_copy_only=False)
        for row, text in self.traceback.items():
            held[row] = held[row] or any(literal in text for literal in literals)
        return held
