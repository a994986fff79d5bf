"""Incidents between the application and its database."""

from __future__ import annotations

from tests.corpus import stacks
from tests.corpus.stage import Case
from tests.corpus.steps import (
    ask,
    ask_both,
    hold,
    release,
    run_sql,
    start_backend,
    start_database,
    start_proxy,
    stop,
    stop_database,
    take_slots,
    wait_for_database,
)
from tests.corpus.traffic import CALM, NOISE, PROXIED, PSYCOPG

CASES = (
    # --- the database is gone ---
    Case(
        "database_restarted",
        "dependency_down",
        (
            start_backend(),
            *CALM,
            stop_database(),
            start_database(),
            ask("/orders/#", 3),
            ask("/tiles/#", 2),
            *CALM,
        ),
        ("console", "postgres"),
    ),
    Case(
        "database_stopped",
        "dependency_down",
        (
            start_backend(),
            *CALM,
            stop_database(),
            ask("/orders/#", 6),
            start_database(),
            *CALM,
        ),
        ("console", "har"),
        {"dated": True},
    ),
    Case(
        "database_connections_ended",
        "dependency_down",
        (
            start_backend(),
            ask("/mails/#", 4, together=True),
            run_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'shop'"
            ),
            ask("/orders/#", 5),
        ),
        ("console",),
        {"calm": True},
    ),
    Case(
        "database_starts_slowly",
        "dependency_down",
        (
            start_backend(),
            start_proxy(),
            *CALM,
            stop_database("immediate"),
            ask("/orders/#", 3),
            start_database(),
            ask("/orders/#", 3),
        ),
        ("console", "postgres", "access"),
        {"calm": True},
        proxy="plain",
    ),
    Case(
        "database_stopped_async",
        "dependency_down",
        (
            start_backend(),
            *CALM,
            stop_database(),
            ask("/tiles/#", 5),
            start_database(),
            *CALM,
        ),
        ("console",),
        {"dated": True, "calm": True},
    ),
    # --- no slot left ---
    Case(
        "slots_taken_by_batch",
        "database_slots",
        (start_backend(), take_slots(), ask("/orders/#", 5), release(), *CALM),
        ("console",),
    ),
    Case(
        "slots_taken_server_log",
        "database_slots",
        (
            start_backend(),
            take_slots(),
            ask("/tiles/#", 5),
            release(),
            ask("/orders/1"),
        ),
        ("postgres",),
    ),
    Case(
        "slots_of_role",
        "database_slots",
        (
            start_backend(
                database="postgresql+psycopg://reader@127.0.0.1:@database/shop"
            ),
            ask("/orders/1"),
            ask("/search?s=0.5&n=#", 5, together=True),
            *NOISE,
        ),
        ("console", "har"),
        {"dated": True},
        files=stacks.DIRECT,
    ),
    Case(
        "slots_of_database",
        "database_slots",
        (
            run_sql("ALTER DATABASE shop CONNECTION LIMIT 2"),
            start_backend(),
            ask("/search?s=0.5&n=#", 5, together=True),
            run_sql("ALTER DATABASE shop CONNECTION LIMIT -1"),
        ),
        ("console", "postgres"),
        {"calm": True},
    ),
    Case(
        "slots_taken_behind_proxy",
        "database_slots",
        (*PROXIED, take_slots(), ask("/tiles/#", 6), release(), *CALM),
        ("console", "access"),
        PSYCOPG | {"calm": True, "dated": True},
        proxy="plain",
    ),
    # --- a pool that is too small ---
    Case(
        "pool_too_small",
        "pool_exhausted",
        (start_backend(), *CALM, ask("/mails/#?s=0.4", 8, together=True), *CALM),
        ("console", "har"),
        {"pool_size": 2, "pool_timeout": 0.2},
    ),
    Case(
        "pool_too_small_recorded",
        "pool_exhausted",
        (start_backend(), ask("/mails/#?s=0.4", 8, together=True), *CALM, stop()),
        ("console", "recording"),
        {"pool_size": 2, "pool_timeout": 0.2, "calm": True},
    ),
    Case(
        "pool_too_small_behind_proxy",
        "pool_exhausted",
        (*PROXIED, *CALM, ask("/mails/#?s=0.4", 8, together=True), *NOISE),
        ("console", "access", "error"),
        {"pool_size": 1, "max_overflow": 1, "pool_timeout": 0.2, "dated": True},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    Case(
        "asyncpg_pool_too_small",
        "pool_exhausted",
        (start_backend(), *CALM, ask("/lanes/#?s=0.5", 7, together=True), *CALM),
        ("console",),
        {"calm": True, "dated": True},
    ),
    Case(
        "pool_too_small_with_overflow",
        "pool_exhausted",
        (*PROXIED, *CALM, ask("/mails/#?s=0.6", 9, together=True), *CALM, stop()),
        ("console", "recording", "access", "har"),
        {"pool_size": 2, "max_overflow": 1, "pool_timeout": 0.2},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    # --- a lock ---
    Case(
        "lock_kept",
        "lock_wait",
        (
            *PROXIED,
            ask("/orders/#", 4),
            hold("UPDATE orders SET amount = amount WHERE id = 5"),
            ask("/transfers/5", 3, together=True),
            wait_for_database("still waiting"),
            release(),
            *CALM,
        ),
        ("postgres", "access", "error"),
        proxy="hasty",
    ),
    Case(
        "lock_timeout",
        "lock_wait",
        (
            start_backend(),
            ask("/orders/#", 4),
            hold("LOCK TABLE orders IN SHARE MODE"),
            ask("/transfers/#?timeout=150ms", 4, together=True),
            release(),
            *CALM,
        ),
        ("console", "har"),
    ),
    Case(
        "lock_of_migration",
        "lock_wait",
        (
            start_backend(),
            hold("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"),
            ask("/orders/#", 4, together=True, timeout_s=0.4),
            wait_for_database("still waiting", 4),
            release(),
        ),
        ("postgres", "lines"),
    ),
    Case(
        "deadlocks",
        "lock_wait",
        (
            start_backend(),
            *CALM,
            *3 * (ask_both("/swaps/1/2", "/swaps/2/1"),),
            *CALM,
        ),
        ("console", "postgres"),
        {"calm": True},
    ),
    Case(
        "lock_timeout_behind_proxy",
        "lock_wait",
        (
            *PROXIED,
            *CALM,
            hold("UPDATE orders SET amount = amount WHERE id <= 4"),
            ask("/transfers/#?timeout=150ms", 4, together=True),
            release(),
            *CALM,
        ),
        ("console", "access", "postgres"),
        {"calm": True, "dated": True},
        proxy="plain",
    ),
)
