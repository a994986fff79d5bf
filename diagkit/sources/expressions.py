"""The few expressions that every kind of database writes in its own way."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["EXPRESSIONS", "Expressions"]

Expression = sa.ColumnElement[Any]
Query = sa.Select[Any]
# A bit for each slot; the last one is the sign.
SLOTS = 64


class Expressions:
    """Those of PostgreSQL; the others differ where they say so."""

    # Whether parts of a query are run side by side.
    workers = True
    # Whether many rows can be packed, or sent by COPY.
    packs = True
    # How many values a query may have.
    most_ids = 1_000_000

    def prepare(
        self, connection: sa.Connection, wanted: Mapping[str, str] | None = None
    ) -> None:
        """Set for this transaction what it needs to write times and to count well."""
        wanted = POSTGRES_WANTED if wanted is None else wanted
        rows = sa.values(
            sa.column("key", sa.Text), sa.column("value", sa.Text), name="wanted"
        ).data(list(wanted.items()))
        known = sa.table("pg_settings", sa.column("name"))
        # A server that is too old to have one of them goes without.
        connection.execute(
            sa.select(sa.func.set_config(known.c.name, rows.c.value, True)).join_from(
                known, rows, known.c.name == rows.c.key
            )
        ).all()

    def prepare_parts(self, connection: sa.Connection) -> None:
        """Set what a query needs whose parts are run side by side."""
        self.prepare(connection, POSTGRES_PARTS)

    def counts(self, column: sa.Column[Any]) -> bool:
        """Tell whether times of a column can be compared where they are."""
        return isinstance(column.type, sa.DateTime)

    def is_naive(self, column: sa.Column[Any]) -> bool:
        """Tell whether times of a column lack a zone."""
        return not getattr(column.type, "timezone", False)

    def text(self, column: Expression) -> Expression:
        """Return a value as text that is compared sign by sign."""
        return sa.cast(column, sa.Text).collate("C")

    def among(self, text: Expression, values: Sequence[str]) -> Expression:
        """Tell whether a text, as this class makes it, is one of these."""
        return text == sa.any_(sa.literal(list(values), postgresql.ARRAY(sa.Text)))

    def shown(self, column: Expression) -> Expression:
        """Return a value as text to be read."""
        return sa.cast(column, sa.Text)

    def instant(self, column: sa.Column[Any]) -> Expression:
        """Return a time that can be compared with those of other columns."""
        if self.is_naive(column):
            return sa.func.timezone(sa.literal_column("'UTC'"), column)
        return column

    def seconds(self, moment: Expression) -> Expression:
        """Return the seconds since 1970 of an instant."""
        return sa.func.date_part(sa.literal_column("'epoch'"), moment)

    def odd(self, column: sa.Column[Any]) -> Expression | None:
        """Tell of a value whether it can not be compared; None where all can."""
        del column
        return None

    def slots(self, moment: Expression, width_s: float) -> Expression:
        """Return a bit for each slot in which there is an instant."""
        slot = sa.cast(sa.func.floor(self.seconds(moment) / width_s), sa.BigInteger)
        bit = sa.cast(1, sa.BigInteger).bitwise_lshift(
            sa.cast(slot.bitwise_and(SLOTS - 1), sa.Integer)
        )
        return self.any_bit(bit)

    def any_bit(self, bits: Expression) -> Expression:
        """Return the bits that any row has."""
        return sa.func.bit_or(bits)


class MySQLExpressions(Expressions):
    """Those of MySQL and MariaDB."""

    workers = packs = False
    most_ids = 50_000

    def prepare(
        self, connection: sa.Connection, wanted: Mapping[str, str] | None = None
    ) -> None:
        """Set nothing."""

    def is_naive(self, column: sa.Column[Any]) -> bool:
        """Tell whether it is a DATETIME: a TIMESTAMP comes in the session's UTC."""
        return not isinstance(column.type, sa.TIMESTAMP)

    def text(self, column: Expression) -> Expression:
        """Return bytes: a collation takes some signs for the same, and cuts blanks."""
        return sa.cast(sa.cast(column, mysql.CHAR(charset="utf8mb4")), sa.BINARY)

    def among(self, text: Expression, values: Sequence[str]) -> Expression:
        """Compare bytes with bytes."""
        return text.in_([value.encode() for value in values])

    def shown(self, column: Expression) -> Expression:
        """Return a value as text to be read, a TIMESTAMP with its offset."""
        text = sa.cast(column, sa.Text)
        zoned = isinstance(column.type, sa.TIMESTAMP)
        return sa.func.concat(text, "+00:00") if zoned else text

    def instant(self, column: sa.Column[Any]) -> Expression:
        """Return the time as it is."""
        return column

    def seconds(self, moment: Expression) -> Expression:
        """Return whole seconds."""
        return sa.func.timestampdiff(
            sa.literal_column("SECOND"), sa.literal_column("'1970-01-01'"), moment
        )

    def slots(self, moment: Expression, width_s: float) -> Expression:
        """Return a bit for each slot in which there is an instant."""
        slot = sa.func.floor(self.seconds(moment) / width_s)
        one: Expression = sa.literal_column("1")
        return self.any_bit(one.bitwise_lshift(slot.bitwise_and(SLOTS - 1)))


class SQLiteExpressions(Expressions):
    """Those of SQLite, which has no type for times: they are texts."""

    workers = packs = False
    # Since 3.32 of the year 2020; before, it was 999.
    most_ids = 30_000 if sqlite3.sqlite_version_info >= (3, 32) else 900

    def prepare(
        self, connection: sa.Connection, wanted: Mapping[str, str] | None = None
    ) -> None:
        """Set nothing."""

    def counts(self, column: sa.Column[Any]) -> bool:
        """Return True: `odd` looks at each value."""
        del column
        return True

    def is_naive(self, column: sa.Column[Any]) -> bool:
        """Return True: one with an offset is `odd`."""
        del column
        return True

    def text(self, column: Expression) -> Expression:
        """Return a value as text; a cast alone keeps the column's collation."""
        return sa.cast(column, sa.Text).collate("BINARY")

    def among(self, text: Expression, values: Sequence[str]) -> Expression:
        """Name each value."""
        return text.in_(list(values))

    def instant(self, column: sa.Column[Any]) -> Expression:
        """Return a text of 26 signs, in which order and time are one."""
        padded = sa.func.replace(column, "T", " ").concat(".000000")
        return sa.func.substr(padded, 1, 26, type_=sa.Text)

    def odd(self, column: sa.Column[Any]) -> Expression | None:
        """Tell whether it is anything but 2025-11-24 10:00:00 or with .123456."""
        plain = sa.func.substr(self.instant(column), 1, 19)
        rest = sa.func.substr(column, 20)
        sound = sa.and_(
            sa.func.datetime(plain) == plain,
            sa.or_(rest == "", rest.op("GLOB")("." + "[0-9]" * 6)),
        )
        return sa.and_(column.is_not(None), sa.func.coalesce(sound, 0) == 0)

    def seconds(self, moment: Expression) -> Expression:
        """Return whole seconds."""
        second = sa.func.substr(moment, 1, 19)
        return sa.cast(sa.func.strftime("%s", second), sa.Integer)

    def slots(self, moment: Expression, width_s: float) -> Expression:
        """Return a bit for each slot in which there is an instant."""
        # A cast cuts towards zero: so far from it, that is down.
        slot = sa.cast(self.seconds(moment) / width_s + SLOTS * 2.0**32, sa.Integer)
        one: Expression = sa.literal_column("1")
        return self.any_bit(one.bitwise_lshift(slot.bitwise_and(SLOTS - 1)))

    def any_bit(self, bits: Expression) -> Expression:
        """Return the sum of the bits, each once: there is no other way."""
        return sa.func.sum(bits.distinct())


# Memory for a node of a plan: less of it, and logical tasks are counted on the disk.
POSTGRES_WANTED = {
    "DateStyle": "ISO, YMD",
    "jit": "off",
    "work_mem": "131072",
    "parallel_setup_cost": "0",
}
# For a query in parts: so that each is counted by a worker, and not only read by it.
POSTGRES_PARTS = {"parallel_tuple_cost": "2"}
EXPRESSIONS: Mapping[str, Expressions] = {
    "postgresql": Expressions(),
    "mysql": MySQLExpressions(),
    "sqlite": SQLiteExpressions(),
}
