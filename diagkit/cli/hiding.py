"""What a command or a cell shows, without secrets, and how many there were."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING

from diagkit.redaction.frames import Replacer

if TYPE_CHECKING:
    import pandas as pd

# What a table of this many rows at each end shows, no page shows.
ENDS = 1000
# Looks at each character once, whatever is given.
TAG = re.compile(r"(<[^<>]*>)")
ATTRIBUTE = re.compile(r"""(=\s*)("[^"]*"|'[^']*')""")


class Hider(Replacer):
    """Takes secrets out of what a page or a screen shows, and counts them."""

    def html(self, text: str) -> str:
        """Return HTML, or SVG, without secrets; its pictures and tags stay.

        Parameters
        ----------
        text
            A page or a part of one.

        Returns
        -------
        str
            The same, redacted.

        Examples
        --------
        >>> Hider().html("<b>password=&quot;a b&quot;</b>")
        '<b>password=[redacted:secret]</b>'
        """
        parts = TAG.split(text)
        # Every second part is a tag, or a comment.
        parts[::2] = [self._words(part) for part in parts[::2]]
        parts[1::2] = [
            self.text(part)
            if part.startswith("<!--")
            else ATTRIBUTE.sub(self._attribute, part)
            for part in parts[1::2]
        ]
        return "".join(parts)

    def shown(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame without secrets where its table shows it.

        Parameters
        ----------
        frame
            Any. Of many rows a page shows the first and the last.

        Returns
        -------
        pandas.DataFrame
            As long as the frame. Where it is long, rows in its middle are not its own.
        """
        import numpy as np
        import pandas as pd

        most = pd.get_option("display.max_rows")
        room = max(most or 0, ENDS)
        if most is None or len(frame) <= 2 * room:
            return self.frame(frame)
        ends = self.frame(pd.concat([frame.head(room), frame.tail(room)]))
        middle = np.full(len(frame) - 2 * room, room - 1)
        places = [np.arange(room), middle, np.arange(room, 2 * room)]
        return ends.take(np.concatenate(places))

    def _words(self, text: str) -> str:
        plain = unescape(text)
        clean = self.text(plain)
        return text if clean == plain else escape(clean, quote=False)

    def _attribute(self, match: re.Match[str]) -> str:
        begin, quoted = match.groups()
        if quoted[1:].startswith("data:"):
            return match[0]
        plain = unescape(quoted[1:-1])
        clean = self.text(plain)
        return match[0] if clean == plain else f'{begin}"{escape(clean)}"'


def count_redactions(count: int) -> str:
    """Say how many replacements were made.

    Parameters
    ----------
    count
        How many.

    Returns
    -------
    str
        A line.

    Examples
    --------
    >>> count_redactions(1), count_redactions(2)
    ('redacted: 1 replacement', 'redacted: 2 replacements')
    """
    return f"redacted: {count} replacement{'' if count == 1 else 's'}"
