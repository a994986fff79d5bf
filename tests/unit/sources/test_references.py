from __future__ import annotations

import pytest

from diagkit.sources.references import find_listening, find_references


def found(**environment: str) -> list[tuple[str, str, str, int | None]]:
    return [(r.kind, r.scheme, r.host, r.port) for r in find_references(environment)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("U", "postgresql+asyncpg://u:p@ss@db:5433/x?y=1", ("postgresql", "db", 5433)),
        ("U", "jdbc:mysql://db/x", ("mysql", "db", 3306)),
        ("U", "redis://:hunter2@Cache", ("redis", "cache", 6379)),
        ("U", "postgresql:///x?host=db", ("postgresql", "db", 5432)),
        ("U", "host=db port=5439 dbname=x", ("postgresql", "db", 5439)),
        ("U", "host=db dbname=x", ("postgresql", "db", 5432)),
        ("U", "http://[::1]:8000/x", ("http", "::1", 8000)),
        ("U", "custom://thing", ("custom", "thing", None)),
        ("BROKER", "kafka:9092", ("", "kafka", 9092)),
        ("POSTGRES_HOST", "db", ("postgresql", "db", 5432)),
        ("PGHOST", "db", ("postgresql", "db", 5432)),
        ("DB_HOST", "db:7", ("", "db", 7)),
        ("API_SERVER", "api", ("", "api", None)),
    ],
)
def test_a_target_in_an_environment(
    name: str, value: str, expected: tuple[str, str, int | None]
) -> None:
    assert found(**{name: value}) == [("environment", *expected)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "0.0.0.0"),
        ("LISTEN_ADDR", "localhost:80"),
        ("BIND", "http://localhost:1"),
        ("ALLOWED_HOSTS", "localhost"),
        ("NO_PROXY", "localhost:80"),
        ("POSTGRES_IMAGE", "postgres:15"),
        ("KAFKA_LISTENERS", "PLAIN://localhost:9092"),
        ("U", "http://0.0.0.0:80"),
        ("DB_HOST", "a b"),
        ("U", "sqlite:///x.db"),
        ("U", "12:30"),
        ("U", ""),
        ("U", "http://" + "a" * 20_000),
    ],
)
def test_what_is_no_target(name: str, value: str) -> None:
    assert found(**{name: value}) == []


def test_several_in_one() -> None:
    assert found(U="amqp://a:1@q1:5,q2:6/x", B="a:10,b:20") == [
        ("environment", "amqp", "q1", 5),
        ("environment", "amqp", "q2", 6),
        ("environment", "", "a", 10),
        ("environment", "", "b", 20),
    ]
    assert found(CORS_ORIGINS="http://localhost:3000,https://x.example") == [
        ("browser", "http", "localhost", 3000),
        ("browser", "https", "x.example", 443),
    ]
    assert found(DB_HOST="db", DB_PORT="5433") == [("environment", "", "db", 5433)]
    assert found(KAFKA_ADVERTISED_LISTENERS="PLAIN://localhost:9092") == [
        ("browser", "plain", "localhost", 9092)
    ]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("uvicorn app:app", "127.0.0.1:8000"),
        ("/venv/bin/uvicorn app:app --host 0.0.0.0 --port=9000", "0.0.0.0:9000"),
        ("gunicorn -w 4 -b 0.0.0.0:80 app", "0.0.0.0:80"),
        ("gunicorn -b :80 app", "0.0.0.0:80"),
        ("gunicorn --bind unix:/x app", ""),
        ("gunicorn -b 0.0.0.0 app", ""),
        ("flask run -h 0.0.0.0", "0.0.0.0:5000"),
        ("python -m http.server 81", "0.0.0.0:81"),
        ("python -m http.server", "0.0.0.0:8000"),
        ("uvicorn app:app --port $PORT", ""),
        ("hypercorn --config x.toml app", ""),
        ("node index.js", ""),
        ('sh -c "alembic upgrade head && uvicorn a:b --port 8001"', "127.0.0.1:8001"),
        ("gunicorn -c gunicorn.conf.py app", ""),
        ("postgres -c port=5433 -c fsync=off", "0.0.0.0:5433"),
        ("redis-server --port 6380", "0.0.0.0:6380"),
        ("redis-server /etc/redis.conf", ""),
        ("uvicornish", ""),
    ],
)
def test_where_a_command_listens(command: str, where: str) -> None:
    assert find_listening(command, {}) == where


def test_a_variable_may_change_where_it_listens() -> None:
    assert find_listening("uvicorn app:app", {"UVICORN_HOST": "0.0.0.0"}) == ""
