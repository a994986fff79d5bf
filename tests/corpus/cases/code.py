"""Incidents of the application's own code."""

from __future__ import annotations

from tests.corpus import stacks
from tests.corpus.stage import Case
from tests.corpus.steps import ask, start_backend, stop
from tests.corpus.traffic import CALM, COLLECT, NOISE, PROXIED, PSYCOPG

CASES = (
    # --- connections that do not come back ---
    Case(
        "sync_leak_recorded",
        "leaked_connections",
        (start_backend(), *CALM, ask("/carts/#", 8), COLLECT, *CALM, stop()),
        ("recording", "console"),
        {"calm": True, "pool_timeout": 0.15},
    ),
    Case(
        "sync_leak_recorded_alone",
        "leaked_connections",
        (start_backend(), ask("/carts/#", 4), COLLECT, *NOISE, ask("/carts/9"), stop()),
        ("recording", "har"),
    ),
    Case(
        "async_leak_asyncpg",
        "leaked_connections",
        (start_backend(), *CALM, ask("/feeds/#", 6), COLLECT, *CALM),
        ("console",),
    ),
    Case(
        "async_leak_psycopg",
        "leaked_connections",
        (start_backend(), *CALM, ask("/exports/#", 6), COLLECT, *NOISE),
        ("console", "har"),
        PSYCOPG | {"dated": True},
        files=stacks.DIRECT,
    ),
    Case(
        "async_leak_behind_proxy",
        "leaked_connections",
        (*PROXIED, *CALM, ask("/exports/#", 8), COLLECT, *CALM),
        ("console", "access", "error"),
        {"calm": True, "pool_size": 3, "pool_timeout": 0.15},
        proxy="plain",
    ),
    Case(
        "async_leak_until_pool_is_empty",
        "leaked_connections",
        (
            start_backend(),
            *CALM,
            ask("/feeds/#", 5),
            ask("/search?s=0.4&n=#", 4, together=True),
            COLLECT,
            *CALM,
        ),
        ("console", "har", "postgres"),
        {"pool_size": 2, "pool_timeout": 0.15},
        files=stacks.DIRECT,
    ),
    # --- sessions used on after an error ---
    Case(
        "shared_session_not_rolled_back",
        "poisoned_transactions",
        (start_backend(), *CALM, ask("/signup/#", 5), *CALM),
        ("console",),
    ),
    Case(
        "error_swallowed",
        "poisoned_transactions",
        (*PROXIED, *CALM, ask("/ledger/#", 5), *NOISE),
        ("console", "access"),
        {"calm": True, "dated": True},
        proxy="plain",
    ),
    Case(
        "error_swallowed_server_log",
        "poisoned_transactions",
        (start_backend(), *CALM, ask("/ledger/#", 5)),
        ("postgres",),
        PSYCOPG,
    ),
    Case(
        "shared_session_behind_proxy",
        "poisoned_transactions",
        (*PROXIED, *CALM, ask("/signup/#", 6), *NOISE),
        ("console", "access", "error"),
        {"calm": True, "dated": True},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    # --- the database outside of await ---
    Case(
        "lazy_load",
        "missing_greenlet",
        (start_backend(), *CALM, ask("/customers/#/orders", 4), *NOISE),
        ("console", "har"),
    ),
    Case(
        "expired_attribute",
        "missing_greenlet",
        (*PROXIED, *CALM, ask("/customers/#/name", 5)),
        ("console", "access", "error"),
        PSYCOPG | {"calm": True},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    # --- one session, two tasks ---
    Case(
        "gathered_session",
        "shared_session",
        (start_backend(), ask("/dashboard", 4, together=True), *CALM),
        ("console",),
        {"dated": True},
    ),
    Case(
        "gathered_connection",
        "shared_session",
        (start_backend(), *CALM, ask("/ticker", 4), *NOISE),
        ("console", "lines"),
        {"calm": True},
    ),
    Case(
        "gathered_connection_behind_proxy",
        "shared_session",
        (*PROXIED, *CALM, ask("/ticker", 5), *CALM),
        ("console", "access", "error", "postgres"),
        {"dated": True},
        proxy="plain",
    ),
    # --- the code itself ---
    Case(
        "key_missing",
        "unhandled_exception",
        (start_backend(), *CALM, ask("/totals/#", 5), *NOISE),
        ("console", "har"),
    ),
    Case(
        "value_not_a_number",
        "unhandled_exception",
        (*PROXIED, *CALM, ask("/rates/monday", 5), *CALM),
        ("console", "access", "error"),
        {"dated": True},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    Case(
        "stream_breaks_off",
        "unhandled_exception",
        (start_backend(), *CALM, ask("/stream", 5)),
        ("console",),
    ),
    Case(
        "errors_logged_and_answered",
        "unhandled_exception",
        (start_backend(), *CALM, ask("/totals/#", 6), ask("/rates/friday", 2)),
        ("console",),
        {"calm": True, "dated": True},
    ),
    Case(
        "several_faults_of_handlers",
        "unhandled_exception",
        (*PROXIED, *CALM, ask("/totals/#", 3), ask("/stream", 3), *NOISE),
        ("console", "access", "error", "har"),
        proxy="plain",
    ),
)
