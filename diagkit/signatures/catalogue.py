"""The catalogue's loader, and how a signature is held against a record."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from diagkit.errors import SettingError, suggest


@dataclass(frozen=True)
class Signature:
    """A known failure and the text by which a log shows it.

    Attributes
    ----------
    id
        Stable name, for example ``sqlalchemy.gc_terminated``.
    kind
        What it is: ``leak``, ``poisoned_transaction``, ``exhaustion``,
        ``dropped_connection``, ``unfinished_transaction``, ``unclosed_context``,
        ``misuse``, ... (`diagkit.analyses.kinds` lists them). Only ``leak`` counts as
        a leaked connection.
    severity
        As in FINDINGS.
    library
        Whose message it is.
    versions
        The versions in which this wording was seen.
    text
        Literals that must all stand in the record.
    meaning, remedy
        What it says, and what to do next.
    exception
        The name in which the record's last exception must end; empty for any.
    close
        Whether this is only near a known wording.
    examples
        Messages as they stand in logs.
    pattern
        An RE2 pattern that must match too; empty for none.
    last
        Whether it says so little that any other signature explains a record better:
        it is tried when none fits the record's message and traceback.
    """

    id: str
    kind: str
    severity: str
    library: str
    versions: str
    text: tuple[str, ...]
    meaning: str
    remedy: str
    exception: str = ""
    close: bool = False
    examples: tuple[str, ...] = ()
    pattern: str = ""
    last: bool = False

    def fits(self, text: str, exception: str | None) -> bool:
        """Say whether this signature explains a text.

        Parameters
        ----------
        text
            A record's message or traceback.
        exception
            The type of the record's last exception, or None.

        Returns
        -------
        bool
            True where all literals stand in the text, the pattern matches, and the
            exception fits.
        """
        return (
            all(literal in text for literal in self.text)
            and (not self.exception or (exception or "").endswith(self.exception))
            and (not self.pattern or self._matches(text))
        )

    def _matches(self, text: str) -> bool:
        # RE2 is linear in the text; a signature's pattern may be anybody's.
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.match_substring_regex(pa.array([text]), self.pattern)
        return bool(found[0].as_py())


@lru_cache(maxsize=1)
def load_signatures() -> tuple[Signature, ...]:
    """Return the catalogue, in the order in which its signatures are tried.

    Returns
    -------
    tuple of Signature
        All of them.

    Examples
    --------
    >>> load_signatures()[0].id
    'sqlalchemy.gc_terminated'
    """
    source = files("diagkit.signatures").joinpath("catalogue.toml")
    rows = tomllib.loads(source.read_text(encoding="utf-8"))["signature"]
    for row in rows:
        row |= {name: tuple(row.get(name, ())) for name in ("text", "examples")}
    return tuple(Signature(**row) for row in rows)


def find_signature(identity: str) -> Signature:
    """Return one signature of the catalogue.

    Parameters
    ----------
    identity
        Its id.

    Returns
    -------
    Signature
        The signature.

    Raises
    ------
    SettingError
        If the catalogue has none of that id; the nearest ids are named.

    Examples
    --------
    >>> find_signature("sqlalchemy.queuepool_timeout").kind
    'exhaustion'
    """
    known = {signature.id: signature for signature in load_signatures()}
    if identity not in known:
        msg = f"no signature {identity!r} in the catalogue{suggest(identity, known)}"
        raise SettingError(msg)
    return known[identity]
