"""Take secrets and personal data out of frames and other values, and count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from diagkit.redaction.text import RedactedText

# Lists in lists in lists: what lies deeper may be a list that holds itself.
DEPTH = 8
COLLECTIONS = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class RedactedFrame:
    """A frame without secrets, and how many replacements were made.

    Attributes
    ----------
    frame
        A copy in which every text column is redacted.
    count
        How many replacements were made.
    """

    frame: pd.DataFrame = field(repr=False)
    count: int


def redact_frame(frame: pd.DataFrame, key: str | None = None) -> RedactedFrame:
    """Replace secrets and personal data in a frame.

    Parameters
    ----------
    frame
        Any frame. Text is redacted wherever it stands: in columns of text, of
        categories and of objects (in lists and dictionaries too), in the names of
        columns and in the index. Names that only a secret told apart are numbered.
    key
        As for `redact_text`.

    Returns
    -------
    RedactedFrame
        A copy as ``frame`` and the ``count`` of replacements (a value that repeats
        counts each time).

    Examples
    --------
    >>> import pandas as pd
    >>> redact_frame(pd.DataFrame({"m": ["token=abc123"]})).frame.loc[0, "m"]
    'token=[redacted:secret]'
    """
    replacer = Replacer(key)
    return RedactedFrame(replacer.frame(frame), replacer.count)


class Replacer:
    """Redacts values of any kind, each text once, and counts what was replaced.

    Parameters
    ----------
    key
        As for `redact_text`.
    active
        Whether it replaces anything; otherwise all is returned as it is.

    Attributes
    ----------
    count
        How many replacements were made so far.

    Examples
    --------
    >>> replacer = Replacer()
    >>> replacer.value({"who": ["sam@example.net", 7]})
    {'who': ['[redacted:email]', 7]}
    >>> replacer.count
    1
    """

    def __init__(self, key: str | None = None, *, active: bool = True) -> None:
        self.count = 0
        self.active = active
        self._key = key
        self._known: dict[str, RedactedText] = {}

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
        if not self.active:
            return text
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = redact_text(text, self._key)
        self.count += found.count
        return found.text

    def value(self, value: Any, depth: int = DEPTH) -> Any:
        """Return a value without secrets in its texts, lists, dicts and frames.

        Parameters
        ----------
        value
            Anything; what has no text is returned as it is.
        depth
            How deep lists in lists are looked into; what is deeper becomes text.

        Returns
        -------
        object
            The same, or a copy that is redacted.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            before = self.count
            text = self.text(value.decode("utf-8", "replace"))
            return value if self.count == before else text.encode()
        # A row of SQLAlchemy's is a sequence with names, and no tuple.
        row = isinstance(value, Sequence) and hasattr(value, "_fields")
        if row or isinstance(value, (dict, *COLLECTIONS)):
            return self._nested(value, depth - 1) if depth else self.text(str(value))
        return self._table(value) if hasattr(value, "ndim") and value.ndim else value

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame without secrets: its cells, its index, its columns.

        Parameters
        ----------
        frame
            Any; names of columns may repeat, cells may hold lists.

        Returns
        -------
        pandas.DataFrame
            A copy, where anything may be replaced.
        """
        if not self.active:
            return frame
        out = frame.copy()
        for place in range(out.shape[1]):
            column = out.iloc[:, place]
            clean = self._column(column)
            if clean is not column:
                out.isetitem(place, clean)
        out.columns, out.index = self.labels(out.columns), self.labels(out.index)
        return out

    def keys(self, known: Mapping[str, str]) -> dict[str, str]:
        """Return a mapping without secrets in its names; its values stay.

        Parameters
        ----------
        known
            Values by their names.

        Returns
        -------
        dict
            As many, in the same order.
        """
        names = tell_apart(map(self.text, known))
        return dict(zip(names, known.values(), strict=True))

    def labels(self, labels: pd.Index) -> pd.Index:
        """Return an index without secrets; the same object where it has none.

        Parameters
        ----------
        labels
            Any.

        Returns
        -------
        pandas.Index
            As long.
        """
        import pandas as pd

        if isinstance(labels, pd.MultiIndex) or _may_hold_text(labels.dtype):
            before = self.count
            values = [self.value(label) for label in labels]
            if self.count > before:
                kept = tell_apart(values) if labels.is_unique else values
                labels = (
                    pd.MultiIndex.from_tuples(kept, names=labels.names)
                    if isinstance(labels, pd.MultiIndex)
                    else pd.Index(kept, name=labels.name, tupleize_cols=False)
                )
        before = self.count
        names = [self.value(name) for name in labels.names]
        return labels if self.count == before else labels.set_names(names)

    def _column(self, column: pd.Series) -> Any:
        """Return a column's values redacted; the column where none was secret."""
        import pandas as pd

        category = isinstance(column.dtype, pd.CategoricalDtype)
        if not category and not _may_hold_text(column.dtype):
            return column
        # A category that no row has is shown below a series, too.
        if category and not any(map(self._is_secret, column.cat.categories)):
            return column
        before = self.count
        values = [self.value(value) for value in column.astype(object)]
        if category:
            kinds = pd.unique(pd.Series(values, dtype=object).dropna())
            return pd.Categorical(values, categories=kinds)
        if self.count == before:
            return column
        dtype = column.dtype if pd.api.types.is_string_dtype(column.dtype) else object
        return pd.Series(values, index=column.index, dtype=dtype)

    def _table(self, value: Any) -> Any:
        """Redact what has dimensions: of pandas, or an array."""
        import pandas as pd

        if isinstance(value, pd.DataFrame):
            return self.frame(value)
        if isinstance(value, pd.Series):
            clean = self.frame(value.to_frame()).iloc[:, 0]
            return clean.rename(self.value(value.name))
        if isinstance(value, pd.Index):
            return self.labels(value)
        before = self.count
        items = self.value(value.tolist()) if hasattr(value, "tolist") else value
        return value if self.count == before else items

    def _nested(self, value: Any, depth: int) -> Any:
        """Redact a collection; the same object where nothing in it was secret."""
        before = self.count
        if isinstance(value, dict):
            keys = tell_apart(self.value(key, depth) for key in value)
            items = [self._named(k, v, depth) for k, v in value.items()]
            return (
                value if self.count == before else dict(zip(keys, items, strict=True))
            )
        clean = [self.value(item, depth) for item in value]
        if self.count == before:
            return value
        if hasattr(value, "_make"):
            return value._make(clean)
        # Not every kind that is made of these can be made of a list.
        plain = next((one for one in COLLECTIONS if isinstance(value, one)), tuple)
        return plain(clean)

    def _named(self, name: Any, value: Any, depth: int) -> Any:
        """Redact a value that may be secret for the name it has."""
        if self.active and isinstance(name, str) and isinstance(value, str):
            found = redact_text(f"{name}={value!r}", self._key)
            whole = redact_text(value, self._key)
            if found.count and not whole.count and found.text.startswith(f"{name}="):
                self.count += found.count
                return found.text[len(name) + 1 :]
        return self.value(value, depth)

    def _is_secret(self, value: Any) -> bool:
        before = self.count
        self.value(value)
        found, self.count = self.count > before, before
        return found


def tell_apart(names: Iterable[Any]) -> list[Any]:
    """Tell names apart that came out the same, by numbers.

    Parameters
    ----------
    names
        Texts, or tuples that end with one.

    Returns
    -------
    list
        As many, each once; the first of a kind is as it was.

    Examples
    --------
    >>> tell_apart(["[redacted:email]", "logs", "[redacted:email]"])
    ['[redacted:email]', 'logs', '[redacted:email] (2)']
    """
    taken: set[Any] = set()
    last: Counter[Any] = Counter()
    out = []
    for name in names:
        new = name
        while new in taken:
            last[name] += 1
            *front, end = name if isinstance(name, tuple) else (name,)
            said = f"{end} ({last[name] + 1})"
            new = (*front, said) if isinstance(name, tuple) else said
        taken.add(new)
        out.append(new)
    return out


def _may_hold_text(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") not in "biufcmM"
