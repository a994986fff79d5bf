"""The SQL around a backfill's values, for each database, as text with places to fill.

Three promises are kept, each by the database's own means:

- A row is set only while its start is NULL, and undone only while it has the very value
  that was set: what the application writes meanwhile stays.
- No other column changes. PostgreSQL: no trigger fires in these transactions. MySQL: a
  column that sets itself (``ON UPDATE CURRENT_TIMESTAMP``) is assigned its own value,
  and a ``BEFORE UPDATE`` trigger stops the script. SQLite, where neither is possible:
  rows are compared after, and a batch in which a trigger changed more is rolled back.
- A value means the same instant in a column with and without a time zone, whatever the
  session's zone.

A client may go on after an error: each batch is without effect where its guard fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ILLEGAL", "TEMPLATES", "Template"]

ILLEGAL = """\
p.{start} IS NULL AND p.{key} IS NOT NULL{unless}
  AND (NOT {idle}
    OR {project} IN (
      SELECT DISTINCT {owner} FROM {tasks} AS t))"""


@dataclass(frozen=True)
class Template:
    """How one database is told; ``{name}`` is a place to fill.

    Attributes
    ----------
    promise
        How other columns are kept as they are, for the head of a script.
    exact
        A column as text that is compared byte by byte.
    first, row
        The first row of a batch, and every other one.
    batch
        A transaction that sets rows, or undoes that.
    check
        Statements that end in an error while illegal NULLs remain.
    head, foot
        What comes before and after the batches.
    parts
        For ``fill`` and ``undo`` what differs in the same batch; where the name of a
        part ends in ``_text``, it is SQL inside a text.
    """

    promise: str
    exact: str
    first: str
    row: str
    batch: str
    check: str
    head: str = ""
    foot: str = ""
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


POSTGRESQL_BATCH = """\
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '500ms';
SET LOCAL TimeZone = 'UTC';
DO {tag}
BEGIN
  IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {regclass}::regclass
             AND NOT tgisinternal AND tgtype & 16 > 0 AND tgenabled = 'O') THEN
    PERFORM set_config('session_replication_role', 'replica', true);
  END IF;
  IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = {regclass}::regclass
             AND NOT tgisinternal AND tgtype & 16 > 0
             AND (tgenabled = 'A' OR (tgenabled = 'R' AND
                  current_setting('session_replication_role') = 'replica'))) THEN
    RAISE EXCEPTION 'a trigger that always fires may change other columns';
  END IF;
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = {regclass}::regclass
             AND attname = {start_text} AND atttypmod BETWEEN 0 AND {digits} - 1) THEN
    RAISE EXCEPTION 'the column keeps too few digits of a second and would round up';
  END IF;
END {tag};
UPDATE {table} AS p SET {start} = {value}
FROM (VALUES
{rows}
) AS v (id, at)
WHERE p.{key}::text = v.id AND {still};
COMMIT;
"""

POSTGRESQL = Template(
    promise="no trigger on UPDATE fires in these transactions; a role that may not set "
    "session_replication_role for that gets an error",
    exact="{column}::text",
    first="    ({id}, '{at}+00')",
    row="  , ({id}, '{at}+00')",
    batch=POSTGRESQL_BATCH,
    parts={
        "fill": {"value": "v.at::timestamptz", "still": "p.{start} IS NULL"},
        "undo": {
            "value": "NULL",
            "still": "p.{start}::timestamptz = v.at::timestamptz",
        },
    },
    check="""\
DO {tag}
DECLARE
  remain bigint;
  named text;
BEGIN
  SELECT count(*), string_agg(id, ', ') FILTER (WHERE place <= 5) INTO remain, named
  FROM (SELECT p.{key}::text AS id, row_number() OVER (ORDER BY p.{key}::text) AS place
        FROM {table} AS p
        WHERE {illegal}) AS n;
  IF remain > 0 THEN
    RAISE EXCEPTION '% illegal NULL start(s) remain, first: %', remain, named;
  END IF;
END {tag};
""",
)

MYSQL_EXACT = "CAST(CONVERT({column} USING utf8mb4) AS BINARY)"
# The first comparison may use an index; the second knows upper case from lower.
MYSQL_MATCH = (
    "WHERE {key} = ? AND "
    + MYSQL_EXACT.replace("column", "key")
    + " = CAST(? AS BINARY) AND "
)
MYSQL_BATCH = """\
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
START TRANSACTION;
{rows}
COMMIT;
"""
MYSQL_ROW = """\
SET @diagkit_id = {id}, @diagkit_at = LEFT('{at}', @diagkit_digits);
EXECUTE diagkit_row USING {order};"""

# A script of MySQL can raise no error of its own: it asks for a table with that name.
MYSQL = Template(
    promise="a column with ON UPDATE CURRENT_TIMESTAMP is assigned its own value, and "
    "a BEFORE UPDATE trigger stops the script",
    exact=MYSQL_EXACT,
    first=MYSQL_ROW,
    row=MYSQL_ROW,
    batch=MYSQL_BATCH,
    check="""\
SELECT p.{key} AS illegal_null_start FROM {table} AS p
WHERE {illegal}
ORDER BY 1 LIMIT 20;
SELECT COUNT(*) INTO @diagkit_remain FROM {table} AS p
WHERE {illegal};
SET @diagkit_sql = IF(@diagkit_remain = 0, 'DO 0',
  CONCAT('SELECT 1 FROM `', @diagkit_remain, ' illegal NULL start(s) remain`'));
PREPARE diagkit_check FROM @diagkit_sql;
DEALLOCATE PREPARE diagkit_check;
""",
    head="""\
SET @diagkit_zone = @@SESSION.time_zone,
  @diagkit_collation = @@SESSION.collation_connection,
  @diagkit_wait = @@SESSION.innodb_lock_wait_timeout;
SET SESSION time_zone = '+00:00', SESSION collation_connection = 'utf8mb4_bin',
  SESSION innodb_lock_wait_timeout = 1;
-- A column that keeps fewer digits of a second gets a value that is cut, not rounded.
SELECT COALESCE(MAX(19 + datetime_precision + (datetime_precision > 0)), 26)
INTO @diagkit_digits FROM information_schema.columns
WHERE table_schema = {schema} AND table_name = {bare} AND column_name = {start_text};
SELECT COALESCE(GROUP_CONCAT(CONCAT(
  '`', REPLACE(column_name, '`', '``'), '` = `', REPLACE(column_name, '`', '``'), '`, '
) SEPARATOR ''), '')
INTO @diagkit_kept FROM information_schema.columns
WHERE table_schema = {schema} AND table_name = {bare}
  AND column_name <> {start_text} AND extra LIKE '%on update%';
SELECT COUNT(*) INTO @diagkit_triggers FROM information_schema.triggers
WHERE event_object_schema = {schema} AND event_object_table = {bare}
  AND event_manipulation = 'UPDATE' AND action_timing = 'BEFORE';
SET @diagkit_sql = IF(@diagkit_triggers > 0,
  'SELECT 1 FROM `a BEFORE UPDATE trigger may change other columns`',
  CONCAT({update_text}, @diagkit_kept,
    {where_text}));
PREPARE diagkit_row FROM @diagkit_sql;
""",
    foot="""\
DEALLOCATE PREPARE diagkit_row;
SET SESSION time_zone = @diagkit_zone,
  SESSION collation_connection = @diagkit_collation,
  SESSION innodb_lock_wait_timeout = @diagkit_wait;
""",
    parts={
        "fill": {
            "update_text": "UPDATE {table} SET ",
            "where_text": "{start} = ? " + MYSQL_MATCH + "{start} IS NULL",
            "order": "@diagkit_at, @diagkit_id, @diagkit_id",
        },
        "undo": {
            "update_text": "UPDATE {table} SET ",
            "where_text": "{start} = NULL "
            + MYSQL_MATCH
            + "{start} = CAST(? AS DATETIME(6))",
            "order": "@diagkit_id, @diagkit_id, @diagkit_at",
        },
    },
)

SQLITE_BATCH = """\
PRAGMA busy_timeout = 2000;
BEGIN IMMEDIATE;
CREATE TEMP TABLE diagkit_plan (id TEXT PRIMARY KEY, at TEXT NOT NULL);
INSERT INTO temp.diagkit_plan (id, at) VALUES
{rows};
CREATE TEMP TABLE diagkit_rows AS SELECT p.* FROM {table} AS p
WHERE {chosen};
UPDATE {table} AS p SET {start} = {value}
WHERE {chosen};
UPDATE temp.diagkit_rows AS p SET {start} = {value};
CREATE TEMP TABLE diagkit_guard (differ INTEGER
  CONSTRAINT "a trigger changed other columns" CHECK (differ = 0));
INSERT OR ROLLBACK INTO temp.diagkit_guard SELECT count(*)
FROM (SELECT * FROM temp.diagkit_rows EXCEPT SELECT * FROM {table});
DROP TABLE temp.diagkit_guard;
DROP TABLE temp.diagkit_rows;
DROP TABLE temp.diagkit_plan;
COMMIT;
"""
SQLITE = Template(
    promise="where a trigger changes one, the batch is rolled back with an error",
    exact="CAST({column} AS TEXT)",
    first="    ({id}, '{at}')",
    row="  , ({id}, '{at}')",
    batch=SQLITE_BATCH,
    parts={
        "fill": {
            "value": "(SELECT v.at FROM temp.diagkit_plan AS v\n"
            "  WHERE v.id = CAST(p.{key} AS TEXT))",
            "chosen": "p.{start} IS NULL AND CAST(p.{key} AS TEXT) IN (\n"
            "  SELECT v.id FROM temp.diagkit_plan AS v)",
        },
        "undo": {
            "value": "NULL",
            "chosen": "EXISTS (SELECT 1 FROM temp.diagkit_plan AS v\n"
            "  WHERE v.id = CAST(p.{key} AS TEXT) AND v.at = p.{start})",
        },
    },
    check="""\
DROP TABLE IF EXISTS temp.diagkit_check;
CREATE TEMP TABLE diagkit_check (remain INTEGER
  CONSTRAINT "illegal NULL starts remain" CHECK (remain = 0));
SELECT p.{key} AS illegal_null_start FROM {table} AS p
WHERE {illegal}
ORDER BY 1 LIMIT 20;
INSERT INTO temp.diagkit_check SELECT count(*) FROM {table} AS p
WHERE {illegal};
DROP TABLE temp.diagkit_check;
""",
)

TEMPLATES = {"postgresql": POSTGRESQL, "mysql": MYSQL, "sqlite": SQLITE}
