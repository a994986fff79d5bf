"""What a command or a cell shows, without secrets, and how many there were."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from diagkit.redaction.text import RedactedText, redact_frame, redact_text

if TYPE_CHECKING:
    import pandas as pd

# Lists in lists in lists: what lies deeper may be a list that holds itself.
DEPTH = 8
# What a table of this many rows at each end shows, no page shows.
ENDS = 1000
# Looks at each character once, whatever is given.
TAG = re.compile(r"(<[^<>]*>)")
ATTRIBUTE = re.compile(r"""(=\s*)("[^"]*"|'[^']*')""")


def hide(text: str) -> str:
    """Return text without secrets.

    Parameters
    ----------
    text
        Anything that is to leave.

    Returns
    -------
    str
        The same, redacted.

    Examples
    --------
    >>> hide("password=hunter2")
    'password=[redacted:secret]'
    """
    return _redact(text).text


class Hider:
    """Takes secrets out of what is shown, and counts them.

    Attributes
    ----------
    count
        How many replacements were made so far.

    Examples
    --------
    >>> hider = Hider()
    >>> hider.value({"who": ["sam@example.net", 7]})
    {'who': ['[redacted:email]', 7]}
    >>> hider.count
    1
    """

    def __init__(self) -> None:
        self.count = 0

    def text(self, text: str) -> str:
        """Return text without secrets.

        Parameters
        ----------
        text
            Anything.

        Returns
        -------
        str
            The same, redacted.
        """
        done = _redact(text)
        self.count += done.count
        return done.text

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

    def value(self, value: Any, depth: int = DEPTH) -> Any:
        """Return a value without secrets in its texts, lists, dicts and frames.

        Parameters
        ----------
        value
            Anything; what has no text is returned as it is.
        depth
            How deep lists in lists are looked into.

        Returns
        -------
        object
            The same, or a copy that is redacted.
        """
        import pandas as pd

        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, pd.DataFrame):
            return self.frame(value)
        if isinstance(value, pd.Series):
            return self.series(value)
        if isinstance(value, pd.Index):
            return self._index(value)
        if depth and type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(one, depth - 1) for one in value)
        if depth and type(value) is dict:
            return {
                self.value(key, depth - 1): self.value(one, depth - 1)
                for key, one in value.items()
            }
        return value

    def series(self, series: pd.Series) -> pd.Series:
        """Return a series without secrets: its values, its index, its name.

        Parameters
        ----------
        series
            Any.

        Returns
        -------
        pandas.Series
            A copy.
        """
        clean = self.frame(series.to_frame()).iloc[:, 0]
        return clean.rename(self.value(series.name))

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame without secrets: its cells, its index, its columns.

        Parameters
        ----------
        frame
            Any; names of columns may repeat, cells may hold lists.

        Returns
        -------
        pandas.DataFrame
            A copy.
        """
        out = frame.set_axis(range(frame.shape[1]), axis=1)
        nested = []
        for place in out.columns:
            column = out[place]
            if column.dtype == "category":
                # A category that no row has is shown below a series, too.
                if any(map(_is_hidden, column.cat.categories)):
                    out[place] = column.astype(object)
            elif column.dtype.kind == "O" and any(map(_is_nested, column)):
                out[place] = [self.value(cell) for cell in column]
                nested.append(place)
        flat = redact_frame(out.drop(columns=nested))
        self.count += flat.count
        for place in flat.frame.columns:
            out[place] = flat.frame[place]
        columns = _tell_apart(self._index(frame.columns), frame.columns)
        return out.set_axis(columns, axis=1).set_axis(self._index(frame.index))

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

    def _index(self, index: pd.Index) -> pd.Index:
        """Return labels without secrets; the same object where they have none."""
        import pandas as pd

        # Numbers and times have no text, and may be many.
        if not isinstance(index, pd.MultiIndex) and index.dtype.kind in "iufbmM":
            named: pd.Index = index.rename(self.value(index.name))
            return named
        before = self.count
        labels = [self.value(label) for label in index]
        names = [self.value(name) for name in index.names]
        if self.count == before:
            return index
        if isinstance(index, pd.MultiIndex):
            return pd.MultiIndex.from_tuples(labels, names=names)
        flat: pd.Index = pd.Index(labels, name=names[0], tupleize_cols=False)
        return flat

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


def _tell_apart(clean: pd.Index, labels: pd.Index) -> pd.Index:
    """Give a number to columns whose names are the same without their secrets."""
    if clean.is_unique or not labels.is_unique or clean.nlevels > 1:
        return clean
    seen: dict[object, int] = {}
    names = []
    for label in clean:
        seen[label] = seen.get(label, 0) + 1
        names.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return type(clean)(names, name=clean.name)


def _is_nested(cell: object) -> bool:
    return isinstance(cell, (list, tuple, set, dict))


def _is_hidden(value: object) -> bool:
    return isinstance(value, str) and _redact(value).count > 0


@lru_cache(maxsize=4096)
def _redact(text: str) -> RedactedText:
    return redact_text(text)
