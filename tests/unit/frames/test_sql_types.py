from __future__ import annotations

import pytest

from diagkit.frames.sql_types import NAMES, compare_types, parse_type, write_type


@pytest.mark.parametrize(
    ("text", "dialect", "family", "size", "zoned"),
    [
        ("character varying(20)", "postgresql", "text", 20, None),
        ("VARCHAR (20)", "sqlite", "text", 20, None),
        ("text", "postgresql", "text", None, None),
        ("timestamp without time zone", "postgresql", "timestamp", None, False),
        ("timestamp(3) with time zone", "postgresql", "timestamp", None, True),
        ("timestamptz", "postgresql", "timestamp", None, True),
        ("datetime(6)", "mysql", "timestamp", None, False),
        ("timestamp(6)", "mysql", "timestamp", None, True),
        ("int(11)", "mysql", "integer", 4, None),
        ("bigint(20) unsigned", "mysql", "integer", 8, None),
        ("tinyint(1)", "mysql", "boolean", None, None),
        ("tinyint(4)", "mysql", "integer", 1, None),
        ("numeric(8,2)", "postgresql", "decimal", 8, None),
        ("double precision", "postgresql", "float", None, None),
        ("tinytext", "mysql", "text", 255, None),
        ("tsvector", "postgresql", "tsvector", None, None),
        ("enum('a','b')", "mysql", "enum('a','b')", None, None),
        ('"Mood"', "postgresql", '"mood"', None, None),
    ],
)
def test_types_are_read(text, dialect, family, size, zoned):
    found = parse_type(text, dialect)
    assert (found.family, found.size, found.zoned) == (family, size, zoned)


@pytest.mark.parametrize(
    ("text", "dialect", "written"),
    [
        ("timestamp", "postgresql", "timestamp"),
        ("timestamp with time zone", "postgresql", "timestamptz"),
        ("timestamptz", "mysql", "timestamp(6)"),
        ("timestamptz", "sqlite", "timestamp"),
        ("datetime", "postgresql", "timestamp"),
        ("character varying(20)", "mysql", "varchar(20)"),
        ("character varying(20)", "postgresql", "character varying(20)"),
        ("boolean", "mysql", "tinyint(1)"),
        ("jsonb", "mysql", "json"),
        ("uuid", "mysql", "char(36)"),
        ("double precision", "mysql", "double"),
        ("double", "postgresql", "double precision"),
        ("numeric(8,2)", "mysql", "numeric(8,2)"),
        ("longtext", "postgresql", "text"),
        ("tinytext", "postgresql", "text"),
    ],
)
def test_types_are_written(text, dialect, written):
    assert write_type(text, dialect) == written


@pytest.mark.parametrize(
    ("expected", "found", "dialect", "differs"),
    [
        ("varchar(20)", "character varying(20)", "postgresql", ""),
        ("varchar(20)", "text", "postgresql", "wider"),
        ("text", "character varying(20)", "postgresql", "narrower"),
        ("varchar(20)", "character varying(10)", "postgresql", "narrower"),
        ("varchar(20)", "integer", "postgresql", "other"),
        ("integer", "bigint", "postgresql", "wider"),
        ("bigint", "integer", "postgresql", "narrower"),
        ("timestamp", "timestamp(3) without time zone", "postgresql", ""),
        ("timestamp", "timestamp with time zone", "postgresql", "zone"),
        ("timestamp", "datetime", "mysql", ""),
        ("timestamp", "timestamp", "mysql", "zone"),
        ("timestamptz", "timestamp", "mysql", ""),
        ("boolean", "tinyint(1)", "mysql", ""),
        ("json", "longtext", "mysql", ""),
        ("uuid", "char(36)", "mysql", ""),
        ("uuid", "uuid", "mysql", ""),
        ("json", "integer", "mysql", "other"),
        ("json", "text", "postgresql", "other"),
        ("varchar(20)", "VARCHAR(500)", "sqlite", ""),
        ("varchar(20)", "integer", "sqlite", "other"),
        ("timestamptz", "TEXT", "sqlite", ""),
        ("timestamp", "DATETIME", "sqlite", ""),
        ("timestamp", "INTEGER", "sqlite", "other"),
        ("bytea", "BLOB", "sqlite", ""),
        ("bytea", "", "sqlite", ""),
        ("double precision", "FLOAT", "sqlite", ""),
        ("numeric(8,2)", "NUMERIC", "sqlite", ""),
        ("boolean", "BOOLEAN", "sqlite", ""),
    ],
)
def test_types_are_compared(expected, found, dialect, differs):
    assert compare_types(expected, found, dialect) == differs


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize("name", [n for names in NAMES.values() for n in names])
def test_a_type_is_as_it_is_written(name, dialect):
    assert compare_types(name, write_type(name, dialect), dialect) == ""
