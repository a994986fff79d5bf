"""What people wrote into a report: kept, and held against what is found now.

A report has fields for people. Each knows the findings that it was written against: by
their ids where the text names any (``[connection_leak-85d4598a]``), else all of them.
Where one of these says something else now, the field is marked until somebody edits it
again or accepts the change.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# How a text names a finding. In brackets it is one that should be there.
CITED = re.compile(r"\b([a-z][a-z0-9_]*-[0-9a-f]{8})\b")
BRACKETED = re.compile(rf"\[{CITED.pattern}\](?!\()")


@dataclass(frozen=True)
class Narrative:
    """What stands in one field for people.

    Attributes
    ----------
    id
        The field.
    text
        What stands in it.
    generated
        Digest of what diagkit had put there.
    written
        Digest of the text when the report was made the last time.
    basis
        What the findings said against which it was written, by id: empty text for one
        that is new since, None for one that is not there, as somebody accepted.
    seen
        The findings that there were when it was written; None where that is not known.
    """

    id: str
    text: str
    generated: str = ""
    written: str = ""
    basis: Mapping[str, str | None] = field(default_factory=dict)
    seen: frozenset[str] | None = None

    @property
    def edited(self) -> bool:
        """Whether a person wrote it."""
        return digest(self.text) != self.generated

    def as_data(self) -> dict[str, Any]:
        """Return what has to be stored beside the text."""
        data: dict[str, Any] = {"narrative": self.id, "generated": self.generated}
        if self.edited:
            data |= {"written": self.written, "basis": dict(self.basis)}
            data |= {} if self.seen is None else {"seen": sorted(self.seen)}
        return data


@dataclass(frozen=True)
class Claim:
    """What a person wrote, and a finding under it that changed.

    Attributes
    ----------
    narrative
        The field.
    finding
        Its id.
    was, now
        What it said, and says; ``now`` is empty where it is gone, ``was`` where it was
        not there.
    """

    narrative: str
    finding: str
    was: str
    now: str

    def __str__(self) -> str:
        if not self.was and not self.now:
            return f"{self.finding} is no finding of this incident"
        if not self.now:
            return f"{self.finding} is not found any more; it said: {self.was}"
        before = f"it said: {self.was}" if self.was else "it was not there before"
        return f"{self.finding} says now: {self.now}; {before}"


def digest(text: str) -> str:
    r"""Return a digest of a text, however its lines end.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        Sixteen digits.

    Examples
    --------
    >>> digest("a\r\nb ") == digest("a\nb")
    True
    """
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()[:16]


def cite(text: str, known: Iterable[str]) -> list[str]:
    r"""Return the ids of findings that a text names.

    Parameters
    ----------
    text
        Markdown; an id may be copied from a report, with its escapes.
    known
        Ids of findings: others count only in brackets, since a backup or a build may
        be named alike.

    Returns
    -------
    list of str
        Each once.

    Examples
    --------
    >>> cite("backup-20251124, leak\\_x-00d1e65a, [lost-00000000]", {"leak_x-00d1e65a"})
    ['leak_x-00d1e65a', 'lost-00000000']
    """
    said, there = text.replace("\\", ""), set(known)
    found = [key for key in CITED.findall(said) if key in there]
    return list(dict.fromkeys([*found, *BRACKETED.findall(said)]))


def merge_narrative(
    default: str,
    kept: Narrative | None,
    name: str,
    before: Mapping[str, str],
    now: Mapping[str, str],
    *,
    accept: bool = False,
) -> Narrative:
    """Return what is to stand in a field: a person's text, or diagkit's.

    Parameters
    ----------
    default
        What diagkit puts there.
    kept
        What the report has there; None for nothing.
    name
        The field.
    before
        Findings of the report as it is: summaries by id.
    now
        Those of the analysis.
    accept
        Whether somebody says that the text holds for what is found now.

    Returns
    -------
    Narrative
        Its basis is what it was written against. Where it is about all findings (it
        names none, or stands where diagkit names them), those that are new since are
        part of it.
    """
    if kept is None or not kept.edited:
        return Narrative(name, default, digest(default))
    text = digest(kept.text)
    # What was edited since was written against the report as it was then.
    fresh = kept.written != text
    anew = fresh or accept
    known = now if accept else before if fresh else {**before, **kept.basis}
    cited = cite(kept.text, {**before, **now, **kept.basis})
    # What was not there is not known to have been, unless somebody accepts that.
    absent = None if accept else ""
    basis = {
        key: known.get(key, absent) for key in cited or (known if anew else kept.basis)
    }
    seen = frozenset(now if accept else before) if anew else kept.seen
    about = cite(default, now) or ([] if cited else list(now))
    basis |= {
        key: ""
        for key in about
        if seen is not None and key in now and key not in seen and key not in basis
    }
    return replace(
        kept, generated=digest(default), written=text, basis=basis, seen=seen
    )


def find_changed(narrative: Narrative, now: Mapping[str, str]) -> list[Claim]:
    """Find the findings under a person's text that say something else now.

    Parameters
    ----------
    narrative
        As `merge_narrative` gives it.
    now
        Findings of the analysis: summaries by id.

    Returns
    -------
    list of Claim
        Empty where all is as it was.
    """
    if not narrative.edited:
        return []
    return [
        Claim(narrative.id, key, was or "", now.get(key, ""))
        for key, was in narrative.basis.items()
        if now.get(key) != was
    ]


def pack(data: Any) -> str:
    """Write data so that it can stand in a comment of HTML or Markdown.

    Parameters
    ----------
    data
        What JSON can hold.

    Returns
    -------
    str
        JSON without two hyphens, angle brackets or line ends.
    """
    text = json.dumps(data, ensure_ascii=True, sort_keys=True)
    return text.replace("-", "\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")


def unpack(texts: Iterable[str]) -> list[Any]:
    """Read what `pack` wrote; what is damaged is left out.

    Parameters
    ----------
    texts
        Each as `pack` gave it.

    Returns
    -------
    list
        The data.
    """
    found = []
    for text in texts:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found
