"""The SQL that sets a NULL that is not right from what the database itself tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.frames.sql_types import parse_type

if TYPE_CHECKING:
    from diagkit.analyses.remedies import Remedies
    from diagkit.frames.migrations import NullRule
    from diagkit.frames.schemas import Table, TableColumn

__all__ = ["write_backfill"]

# The first time of a row's last run: the latest that comes after a gap, or after none.
LAST_RUN = """\
(SELECT r.{time} FROM (
    SELECT {key}, {time},
      lag({time}) OVER (PARTITION BY {key} ORDER BY {order}) AS earlier
    FROM {runs} WHERE {time} IS NOT NULL) AS r
  WHERE r.{key} = {own} AND (r.earlier IS NULL OR {apart})
  ORDER BY {latest} DESC LIMIT 1)"""
# What orders the times, the latest of them, and whether two are further apart.
RUN_TIMES = {
    "postgresql": (
        "{time}",
        "r.{time}",
        "r.{time} - r.earlier > interval '{gap} minutes'",
    ),
    "mysql": ("{time}", "r.{time}", "r.earlier < r.{time} - INTERVAL {gap} MINUTE"),
    # Times are texts there, with and without an offset: the days tell which is first,
    # and the text itself is kept, to the last digit.
    "sqlite": (
        "julianday({time})",
        "julianday(r.{time})",
        "round((julianday(r.{time}) - julianday(r.earlier)) * 86400, 3) > {gap} * 60",
    ),
}
BACKFILL = "/* diagkit's plan_backfill does it with bounds, a preview and an undo */"
HAS_RUN = "\n  OR {key} IN (SELECT DISTINCT {runs_key} FROM {runs})"


def write_backfill(
    write: Remedies, rule: NullRule, table: Table, runs: Table | None
) -> str:
    """Write the update of NULLs that are not right from what tells their value.

    Parameters
    ----------
    write
        Writes for one database.
    rule
        Which NULLs are right, and what tells the others.
    table
        The table, with the columns that it has by then.
    runs
        The table of its runs; None where there is none.

    Returns
    -------
    str
        SQL.
    """
    target = table.column(rule.column)
    known = [_last_run(write, rule, runs, target)] if runs else []
    other = table.column(rule.otherwise) if rule.otherwise else None
    if other is not None:
        own = f"{write.name(_bare(table.name))}.{write.name(other.name)}"
        known.append(_cast_time(write, own, other, target))
    if not known:
        return "/* nothing in the database tells the value */"
    value = known[0] if len(known) == 1 else f"COALESCE({', '.join(known)})"
    listed = ", ".join(map(write.text, rule.legal))
    state = write.name(rule.state)
    where = f" IS NULL AND ({state} NOT IN ({listed})"
    if runs:
        where += HAS_RUN.format(
            key=write.name(rule.key),
            runs_key=write.name(rule.runs_key),
            runs=write.table(rule.runs_table),
        )
    update = write.update(table, rule.column, value, f"{where})")
    begin = {
        "postgresql": "BEGIN;\nSET LOCAL TimeZone = 'UTC';\n{}\nCOMMIT;",
        "mysql": "SET SESSION time_zone = '+00:00';\n{}",
        "sqlite": "{}",
    }[write.dialect]
    return f"{begin.format(update)}\n{BACKFILL}"


def _last_run(
    write: Remedies, rule: NullRule, runs: Table, target: TableColumn | None
) -> str:
    time = runs.column(rule.runs_time)
    places = {"time": write.name(rule.runs_time), "gap": rule.gap_min}
    order, latest, apart = (p.format(**places) for p in RUN_TIMES[write.dialect])
    found = LAST_RUN.format(
        time=places["time"],
        key=write.name(rule.runs_key),
        runs=write.table(rule.runs_table),
        own=f"{write.name(_bare(rule.table))}.{write.name(rule.key)}",
        order=order,
        latest=latest,
        apart=apart,
    )
    return _cast_time(write, found, time, target)


def _cast_time(
    write: Remedies, value: str, source: TableColumn | None, target: TableColumn | None
) -> str:
    """Make a time of one kind one of the other kind, for the same instant."""
    if write.dialect != "postgresql" or source is None or target is None:
        return value  # MySQL goes by the session's zone, SQLite keeps the text
    kinds = [parse_type(column.type).zoned for column in (source, target)]
    if kinds[0] == kinds[1] or None in kinds:
        return value
    return f"{value} AT TIME ZONE {write.text(write.zone)}"


def _bare(table: str) -> str:
    return table.rpartition(".")[2]
