"""What is looked for in logs: ids of the catalogue, signatures, plain literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.errors import SettingError
from diagkit.signatures.catalogue import Signature, find_signature, load_signatures

if TYPE_CHECKING:
    from collections.abc import Iterable


def find_literals(
    matching: str | Signature | Iterable[str | Signature] | None,
) -> tuple[str, ...]:
    """Return the literals that records must hold.

    Parameters
    ----------
    matching
        Ids of the catalogue, signatures, plain literals, or None.

    Returns
    -------
    tuple of str
        Without repetition; of a signature its first literal. Empty for None.

    Raises
    ------
    SettingError
        If a literal is empty, or looks like an id and the catalogue has none such.

    Examples
    --------
    >>> find_literals("sqlalchemy.queuepool_timeout")
    ('QueuePool limit of size ',)
    """
    if matching is None:
        return ()
    wanted = [matching] if isinstance(matching, str | Signature) else list(matching)
    libraries = {s.id.split(".")[0] for s in load_signatures()}
    out: dict[str, None] = {}
    for item in wanted:
        if isinstance(item, Signature):
            out[item.text[0]] = None
        elif not item:
            msg = "matching: an empty literal matches every record; leave it out"
            raise SettingError(msg)
        elif " " not in item and item.split(".")[0] in libraries and "." in item:
            out[find_signature(item).text[0]] = None
        else:
            out[item] = None
    return tuple(out)
