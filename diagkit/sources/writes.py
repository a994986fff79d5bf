"""The kinds of writes by which a read-only session is proved, for each database.

Nothing here has an effect where it is *not* refused: a statement about rows is about no
row (``WHERE false``), what can be rolled back is, and what would need a table names one
that is not there. What could not be undone is not tried, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ATTEMPTS", "PASSED", "REFUSED", "Attempt"]

# A name that nothing has: the answer "no such table" means that the server was about to
# do it.
NOBODY = "diagkit_proof_of_reading"
OWN_ROLE = "diagkit never sends it; use a role that may not"
SESSION = "a setting or lock of the session alone, gone with it; diagkit never sends it"


@dataclass(frozen=True)
class Attempt:
    """One kind of write.

    Attributes
    ----------
    write
        What it is called.
    calls
        The statements, each sent in a call of its own. ``{table}`` and ``{column}``
        stand for some table of the database and a column of it.
    relied_on
        Whether diagkit relies on the server to refuse it.
    note
        What to know where it is not refused.
    untried
        Why it is not tried; empty where it is.
    """

    write: str
    calls: tuple[str, ...]
    relied_on: bool = True
    note: str = ""
    untried: str = ""


# Answers that mean a refusal: PostgreSQL's SQLSTATE (read-only transaction, mode of a
# running transaction, right missing, several statements), MySQL's number (the same, in
# this order, and "needs a privilege"), SQLite's name of the error.
REFUSED: dict[str, set[object]] = {
    "postgresql": {"25006", "25001", "42501", "42601"},
    "mysql": {1792, 1568, 1142, 1044, 1045, 1064, 1227, 1290},
    "sqlite": {"SQLITE_READONLY", "SQLITE_AUTH", "ProgrammingError"},
}
# Answers that mean that it would have been done: no such table, thread or procedure.
PASSED: dict[str, set[object]] = {
    "postgresql": {"42P01"},
    "mysql": {1146, 1094, 1193},
    "sqlite": set(),
}

INSERT = "INSERT INTO {table} ({column}) SELECT {column} FROM {table} WHERE 1 = 0"
UPDATE = "UPDATE {table} SET {column} = {column} WHERE 1 = 0"
ROWS = (
    Attempt("INSERT", (INSERT,)),
    Attempt("UPDATE", (UPDATE,)),
    Attempt("DELETE", ("DELETE FROM {table} WHERE 1 = 0",)),
)
TABLES = (
    Attempt("TRUNCATE", (f"TRUNCATE TABLE {NOBODY}",)),
    Attempt("ALTER TABLE", (f"ALTER TABLE {NOBODY} ADD COLUMN x int",)),
    Attempt("DROP TABLE", (f"DROP TABLE {NOBODY}",)),
    Attempt("CREATE INDEX", (f"CREATE INDEX {NOBODY} ON {NOBODY} (x)",)),
)

POSTGRESQL = (
    *ROWS,
    *TABLES,
    Attempt("CREATE TABLE", (f"CREATE TABLE {NOBODY} (x int)",)),
    Attempt("CREATE TEMPORARY TABLE", (f"CREATE TEMPORARY TABLE {NOBODY} (x int)",)),
    Attempt("GRANT", (f"GRANT SELECT ON {NOBODY} TO public",)),
    Attempt("COPY … FROM", ("COPY {table} ({column}) FROM STDIN",)),
    Attempt("SELECT … FOR UPDATE", ("SELECT 1 FROM {table} WHERE 1 = 0 FOR UPDATE",)),
    Attempt("a write in a WITH", (f"WITH x AS ({UPDATE} RETURNING 1) TABLE x",)),
    Attempt("a write in a DO block", (f"DO ${NOBODY}$BEGIN {UPDATE}; END${NOBODY}$",)),
    Attempt("EXPLAIN ANALYZE of a write", (f"EXPLAIN ANALYZE {UPDATE}",)),
    Attempt("VACUUM", (f"VACUUM {NOBODY}",)),
    Attempt("switching the mode off", ("SET transaction_read_only = off",)),
    Attempt(
        "switching the default off, then a write",
        ("SET default_transaction_read_only = off", UPDATE),
    ),
    Attempt(
        "switching the default off, leaving the transaction, then a write",
        ("SET default_transaction_read_only = off", "COMMIT", UPDATE),
        note="only the driver's BEGIN … READ ONLY stops it",
    ),
    Attempt("several statements in a call", (f"COMMIT; {UPDATE}",)),
    Attempt(
        "lo_create()",
        ("SELECT lo_create(0)",),
        relied_on=False,
        note=f"stopped from PostgreSQL 16 on; {OWN_ROLE}: "
        "REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM public",
    ),
    Attempt(
        "pg_terminate_backend()",
        ("SELECT pg_terminate_backend(0)",),
        relied_on=False,
        note="tried on process 0, which is nobody; "
        f"{OWN_ROLE}: without pg_signal_backend it ends its own sessions alone",
    ),
    Attempt(
        "NOTIFY",
        (f"NOTIFY {NOBODY}",),
        relied_on=False,
        note="sent at a COMMIT, and diagkit's transactions end in ROLLBACK",
    ),
    Attempt(
        "an advisory lock",
        ("SELECT pg_try_advisory_xact_lock_shared(1684628839, 1953066082)",),
        relied_on=False,
        note=SESSION,
    ),
    Attempt(
        "LOCK TABLE",
        (f"LOCK TABLE {NOBODY} IN ACCESS EXCLUSIVE MODE NOWAIT",),
        relied_on=False,
        note=f"a lock stops others until it is let go; {OWN_ROLE}: one with SELECT "
        "alone gets ACCESS SHARE and no more",
    ),
    Attempt(
        "nextval(), setval()",
        ("SELECT nextval('…')",),
        untried="a number that was taken does not come back on ROLLBACK; PostgreSQL "
        "refuses both in a read-only transaction",
    ),
    Attempt(
        "ALTER SYSTEM, pg_reload_conf()",
        ("ALTER SYSTEM SET …",),
        relied_on=False,
        untried="not to be undone; the first is refused in every transaction, the "
        f"second is for superusers; {OWN_ROLE}",
    ),
    Attempt(
        "files and programs of the server",
        ("COPY … TO PROGRAM '…'",),
        relied_on=False,
        untried=f"not to be undone, and for superusers; {OWN_ROLE}",
    ),
    Attempt(
        "functions that reach beyond the transaction",
        ("SELECT dblink_exec('…')",),
        relied_on=False,
        untried=f"not to be undone: dblink, untrusted languages; {OWN_ROLE}",
    ),
)

MYSQL = (
    *ROWS,
    Attempt(
        "REPLACE",
        ("REPLACE INTO {table} ({column}) SELECT {column} FROM {table} WHERE 1 = 0",),
    ),
    *TABLES,
    Attempt("CREATE TABLE", ("CREATE TABLE IF NOT EXISTS {table} (x int)",)),
    Attempt(
        "CREATE TEMPORARY TABLE",
        (f"CREATE TEMPORARY TABLE {NOBODY} (x int)",),
        relied_on=False,
        note=SESSION,
    ),
    Attempt("RENAME TABLE", (f"RENAME TABLE {NOBODY} TO {NOBODY}_2",)),
    Attempt("DROP DATABASE", (f"DROP DATABASE {NOBODY}",)),
    Attempt("DROP USER", (f"DROP USER {NOBODY}",)),
    Attempt("LOAD DATA", (f"LOAD DATA INFILE '{NOBODY}' INTO TABLE {{table}}",)),
    Attempt("LOCK TABLES", (f"LOCK TABLES {NOBODY} WRITE",)),
    Attempt(
        "SELECT … FOR UPDATE",
        ("SELECT 1 FROM {table} WHERE 1 = 0 FOR UPDATE",),
        relied_on=False,
        note="MySQL allows it, and locks no row that it does not find",
    ),
    Attempt("changing the mode", ("SET TRANSACTION READ WRITE",)),
    Attempt(
        "changing the default, then a write",
        ("SET SESSION TRANSACTION READ WRITE", UPDATE),
    ),
    Attempt("leaving the transaction, then a write", ("COMMIT", UPDATE)),
    Attempt("several statements in a call", (f"COMMIT; {UPDATE}",)),
    Attempt(
        "another transaction, then a write",
        ("START TRANSACTION READ WRITE", UPDATE),
        relied_on=False,
        note=f"MySQL has no means against it; {OWN_ROLE}: one with SELECT alone",
    ),
    Attempt(
        "SET GLOBAL",
        ("SET GLOBAL lc_time_names = @@GLOBAL.lc_time_names",),
        relied_on=False,
        note=f"tried with the value that it has; {OWN_ROLE}: without "
        "SYSTEM_VARIABLES_ADMIN or SUPER",
    ),
    Attempt(
        "KILL",
        ("KILL 0",),
        relied_on=False,
        note="tried on thread 0, which is nobody; diagkit ends its own session alone, "
        "after a Ctrl-C; use a role without CONNECTION_ADMIN or SUPER",
    ),
    Attempt(
        "GET_LOCK()",
        (f"SELECT GET_LOCK('{NOBODY}', 0)",),
        relied_on=False,
        note=SESSION,
    ),
    Attempt(
        "SELECT … INTO OUTFILE",
        ("SELECT … INTO OUTFILE '…'",),
        relied_on=False,
        untried=f"a file is not to be undone; {OWN_ROLE}: without FILE",
    ),
    Attempt(
        "FLUSH, RESET",
        ("FLUSH TABLES",),
        relied_on=False,
        untried=f"not to be undone; {OWN_ROLE}: without RELOAD",
    ),
)

SQLITE = (
    *ROWS,
    Attempt("CREATE TABLE", (f"CREATE TABLE {NOBODY} (x)",)),
    Attempt("CREATE TEMPORARY TABLE", (f"CREATE TEMPORARY TABLE {NOBODY} (x)",)),
    Attempt("ALTER TABLE", (f"ALTER TABLE {{table}} ADD COLUMN {NOBODY}",)),
    Attempt("ANALYZE", ("ANALYZE",)),
    Attempt("leaving the transaction, then a write", ("COMMIT", UPDATE)),
    Attempt(
        "leaving the transaction, then VACUUM INTO",
        ("COMMIT", "VACUUM INTO ''"),
    ),
    Attempt("several statements in a call", (f"COMMIT; {UPDATE}",)),
    Attempt("ATTACH", (f"ATTACH ':memory:' AS {NOBODY}",)),
    Attempt("PRAGMA writable_schema", ("PRAGMA writable_schema = ON",)),
    Attempt("PRAGMA journal_mode", ("PRAGMA journal_mode = DELETE",)),
    Attempt("PRAGMA query_only", ("PRAGMA query_only = OFF",)),
    Attempt("PRAGMA wal_checkpoint", ("PRAGMA wal_checkpoint",)),
    Attempt("load_extension()", (f"SELECT load_extension('{NOBODY}')",)),
    Attempt(
        "DROP TABLE",
        ("DROP TABLE …",),
        untried="it would need a table of yours; it writes where CREATE TABLE does",
    ),
)

ATTEMPTS = {"postgresql": POSTGRESQL, "mysql": MYSQL, "sqlite": SQLITE}
