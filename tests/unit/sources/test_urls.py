from __future__ import annotations

from pathlib import Path

import pytest

import diagkit as dk
from diagkit.sources.urls import (
    describe_url,
    find_secrets,
    is_database_url,
    parse_url,
    sqlite_path,
)


@pytest.mark.parametrize(
    ("where", "is_url"),
    [
        ("postgresql://h/d", True),
        ("sqlite:///x.db", True),
        ("  postgresql://h/d", True),
        ("postgresql:/u:hunter2@h/d", True),
        ("app:hunter2@h/d", True),
        ("app:hun/ter2@h/d", True),
        ("C:/app.sqlite", False),
        ("C:app@home.sqlite", False),
        ("data/x.sqlite", False),
        ("./a:b@c", False),
        ("x@y.sqlite", False),
    ],
)
def test_a_url_is_told_from_a_path(where, is_url):
    assert is_database_url(where) is is_url


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("postgresql+psycopg://u:hunter2@db:6543/shop", "postgresql://db:6543/shop"),
        ("mariadb+aiomysql://u:hunter2@db:6543/shop", "mysql://db:6543/shop"),
        (" mysql://db/shop ", "mysql://db/shop"),
        ("postgresql://u@[::1]:5/d", "postgresql://::1:5/d"),
        ("postgresql://u@/shop?host=/var/run/pg", "postgresql://localhost/shop"),
        ("postgresql://u@/shop?host=a&host=b", "postgresql://a,b/shop"),
        ("postgresql://", "postgresql://localhost/"),
        ("sqlite+aiosqlite:////srv/x.db", "x.db"),
        (Path("/srv/secret/x.db"), "x.db"),
    ],
)
def test_a_source_is_named_without_secrets_or_folders(where, name):
    assert describe_url(where) == name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("postgres", "postgresql+psycopg"),
        ("postgresql+psycopg2", "postgresql+psycopg"),
        ("postgresql+asyncpg", "postgresql+psycopg"),
        ("mysql", "mysql+pymysql"),
        ("mariadb", "mysql+pymysql"),
        ("mariadb+mariadbconnector", "mysql+pymysql"),
    ],
)
def test_an_applications_own_driver_is_read_past(theirs, ours):
    url = parse_url(f"{theirs}://u:p%40ss@h:1/d?x=y")
    assert url.drivername == ours
    assert (url.username, url.password, url.host, url.port) == ("u", "p@ss", "h", 1)
    assert dict(url.query) == {"x": "y"}


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("oracle://u:hunter2@h/d", "does not read 'oracle' databases"),
        ("postgresqll://u:hunter2@h/d", "did you mean 'postgresql'"),
        ("mysql+nothing://u:hunter2@h/d", "no driver 'mysql+nothing'"),
        ("postgresql:/u:hunter2@h/d", "not a database URL;"),
        ("app:hunter2@h/d", "not a database URL;"),
        ("postgresql://u:hunter2@h:port/d", "not a database URL (postgresql://…);"),
        ("postgresql://u:hun@ter2@h/d", "write an '@' of a user or password as %40"),
        ("postgresql://u:hun@ter2/x@h/d", "more than one '@'"),
        ("postgresql://u:hun@ter2?x@h/d", "more than one '@'"),
        ("postgresql://us/er:hunter2@h/d", "'/' as %2F"),
    ],
)
def test_what_is_no_url_is_not_shown(where, text):
    for ask in (describe_url, parse_url, find_secrets):
        with pytest.raises(dk.SettingError) as caught:
            ask(where)
        assert text in str(caught.value)
        for part in ("hun", "ter2", "ss/er"):
            assert part not in str(caught.value).replace("user", "")


def test_an_at_in_an_option_is_one():
    assert parse_url("postgresql://h/d?user=me@home").query["user"] == "me@home"


@pytest.mark.parametrize(
    ("where", "secrets"),
    [
        ("postgresql://u:a%40b@h/d", {"a@b", "a%40b"}),
        ("postgresql://u@h/d?password=x&sslpassword=y&password=z", {"x", "y", "z"}),
        ("postgresql://u:@h/d", set()),
        ("postgresql://h/d", set()),
        ("sqlite:///a:b@c", set()),
    ],
)
def test_secrets_are_found(where, secrets):
    assert find_secrets(where) == secrets


def test_a_sqlite_url_without_a_file():
    for where in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://u:pw@h"):
        with pytest.raises(dk.SettingError) as caught:
            sqlite_path(where)
        assert "names no file" in str(caught.value)
        assert "pw" not in str(caught.value)
