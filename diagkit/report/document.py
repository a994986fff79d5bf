"""A report before it has a format: sections of text, pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.frames.findings import say_finding
from diagkit.report.narratives import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from diagkit.report.narratives import Claim, Narrative


@dataclass(frozen=True)
class Picture:
    """A chart.

    Attributes
    ----------
    png
        Its bytes.
    alt
        What it shows, for those who do not see it.
    code
        What draws it again, where ``inc`` is the incident.
    """

    png: bytes = field(repr=False)
    alt: str
    code: str


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    caption
        What it holds.
    columns
        Headings.
    rows
        Cells, as they are shown.
    folded
        Whether a reader opens it first.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


@dataclass(frozen=True)
class Field:
    """A place for what only people know.

    Attributes
    ----------
    narrative
        What stands there.
    claims
        What of it no longer holds.
    """

    narrative: Narrative
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    id
        What links name.
    heading
        Its heading.
    paragraphs, points, pictures, tables, fields
        What it holds, shown in this order; points are a list.
    """

    id: str
    heading: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Document:
    """The whole report.

    Attributes
    ----------
    title
        Its title.
    lead
        What it is about, in one sentence.
    sections
        Its parts.
    findings
        FINDINGS, as rows by their ids; None where it does not list them all.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    findings: Mapping[str, Mapping[str, str]] | None = None

    @property
    def said(self) -> dict[str, str]:
        """What the findings say: summaries and severities by id."""
        return summarise(self.findings or {})

    @property
    def fields(self) -> tuple[Field, ...]:
        """All places for what only people know."""
        return tuple(one for section in self.sections for one in section.fields)

    def map_text(self, change: Callable[[str], str]) -> Document:
        """Return the document with every text changed by a function.

        Parameters
        ----------
        change
            Called with each text; pictures' bytes and what people wrote are not
            touched.

        Returns
        -------
        Document
            A new one.
        """
        return replace(
            self,
            title=change(self.title),
            lead=change(self.lead),
            sections=tuple(_map_section(section, change) for section in self.sections),
        )

    def count(self, part: str) -> int:
        """Count how often something stands in the report's text.

        Parameters
        ----------
        part
            What is looked for.

        Returns
        -------
        int
            In all that is shown, but for pictures.
        """
        count = 0

        def look(text: str) -> str:
            nonlocal count
            count += text.count(part)
            return text

        self.map_text(look).map_words(look)
        return count

    def map_words(self, change: Callable[[str], str]) -> Document:
        """Return the document with what people wrote changed by a function.

        Parameters
        ----------
        change
            Called with each person's text.

        Returns
        -------
        Document
            A new one.
        """

        def words(one: Field) -> Field:
            narrative = one.narrative
            text = change(narrative.text)
            # It is the same text, to whoever reads this report again.
            if narrative.edited:
                changed = replace(narrative, text=text, written=digest(text))
            else:
                changed = replace(narrative, text=text, generated=digest(text))
            return replace(one, narrative=changed)

        sections = (
            replace(section, fields=tuple(map(words, section.fields)))
            for section in self.sections
        )
        return replace(self, sections=tuple(sections))


def summarise(findings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return what findings say.

    Parameters
    ----------
    findings
        Rows of FINDINGS by their ids.

    Returns
    -------
    dict
        Summaries and severities by id.
    """
    return {key: say_finding(row) for key, row in findings.items()}


def make_table(
    caption: str,
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    folded: bool = False,
    limit: int = 200,
) -> Table:
    """Turn a frame into a table of text.

    Parameters
    ----------
    caption
        What it holds; how many rows are left out is added to it.
    frame
        Any frame.
    columns
        Which of its columns, in order.
    folded
        Whether a reader opens it first.
    limit
        How many rows at the most.

    Returns
    -------
    Table
        Times in UTC to the second, numbers to two decimals, missing as ``–``.

    Examples
    --------
    >>> make_table("T", pd.DataFrame({"a": [1.234, None]}), ["a"]).rows
    (('1.23',), ('–',))
    """
    left = len(frame) - limit
    if left > 0:
        caption = f"{caption} ({limit} of {len(frame)} rows)"
    cells: Iterable[tuple[object, ...]] = (
        frame[list(columns)].head(limit).itertuples(index=False, name=None)
    )
    rows = tuple(tuple(show_value(value) for value in row) for row in cells)
    heads = tuple(column.replace("_", " ") for column in columns)
    return Table(caption, heads, rows, folded)


def show_value(value: object) -> str:
    """Turn one value into the text of a cell.

    Parameters
    ----------
    value
        Anything that a frame holds.

    Returns
    -------
    str
        Its text.

    Examples
    --------
    >>> show_value(None), show_value(True), show_value(2.0)
    ('–', 'yes', '2.00')
    """
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


def _map_section(section: Section, change: Callable[[str], str]) -> Section:
    return replace(
        section,
        heading=change(section.heading),
        paragraphs=tuple(map(change, section.paragraphs)),
        points=tuple(map(change, section.points)),
        pictures=tuple(replace(p, alt=change(p.alt)) for p in section.pictures),
        tables=tuple(
            replace(
                table,
                caption=change(table.caption),
                columns=tuple(map(change, table.columns)),
                rows=tuple(tuple(map(change, row)) for row in table.rows),
            )
            for table in section.tables
        ),
    )
