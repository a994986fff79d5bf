"""Incidents of which little is left, and those that need a special application.

The weights were chosen with all of them in sight.
"""

from __future__ import annotations

from dataclasses import replace

from tests.corpus import stacks
from tests.corpus.stage import Case
from tests.corpus.steps import (
    ask,
    ask_both,
    export,
    kill,
    let_pass,
    run_sql,
    start_backend,
    start_proxy,
    start_workers,
    stop,
    wait_for,
)
from tests.corpus.traffic import CALM, COLLECT, GUNICORN, NOISE, PROXIED, TABLES

TARGET = 'targets = ["http://localhost:8000"]\n'
NOWHERE = "postgresql+psycopg://shop@127.0.0.1:@nobody/shop"
READER = "postgresql+psycopg://reader@127.0.0.1:@database/shop"
ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'"
LATER = {"recorded": "later"}
# On the recorder's clock more than a minute passes.
HASTE, A_MINUTE = {"haste": 40}, let_pass(1.7)
KEPT = (start_backend(), ask("/orders/1"), ask("/invoices/#", 3), A_MINUTE)
DRY = (start_backend(), *CALM, *3 * (ask("/feeds/#", 4), COLLECT), *CALM)

_CASES = (
    # --- compose files alone ---
    Case("mock_told_by_compose", "port_conflict", (), (), files=stacks.TAKEN),
    Case("stacks_told_by_compose", "port_conflict", (), (), files=stacks.TWO_STACKS),
    Case("localhost_told_by_compose", "wrong_target", (), (), files=stacks.LOCALHOST),
    Case(
        "closed_to_target", "not_exposed", (), (), files=stacks.UNPUBLISHED, toml=TARGET
    ),
    Case("target_published", "undetermined", (), (), files=stacks.DIRECT, toml=TARGET),
    # --- one log of the proxy alone ---
    Case(
        "well_told_by_proxy",
        "undetermined",
        (*PROXIED, *CALM, *NOISE, *CALM),
        ("access",),
        proxy="plain",
    ),
    Case(
        "nobody_told_by_error_log",
        "wrong_target",
        (start_proxy(), ask("/orders/#", 6)),
        ("error",),
        proxy="plain",
    ),
    Case(
        "strict_name_told_by_error_log",
        "name_not_resolved",
        (start_proxy(),),
        ("error",),
        proxy="strict",
    ),
    Case(
        "killed_told_by_access_log",
        "backend_down",
        (*PROXIED, *CALM, kill(), ask("/orders/#", 8)),
        ("access",),
        proxy="plain",
    ),
    Case(
        "given_up_told_by_access_log",
        "timeout",
        (
            *PROXIED,
            *CALM,
            ask("/report?s=0.5&n=#", 4, timeout_s=0.2),
            wait_for(" 499 ", 4, "access.log"),
        ),
        ("access",),
        proxy="plain",
    ),
    # --- the database's log alone, or beside what clients saw ---
    Case(
        "slots_of_role_server_log",
        "database_slots",
        (start_backend(database=READER), ask("/search?s=0.4&n=#", 5, together=True)),
        ("postgres",),
    ),
    Case(
        "deadlocks_server_log",
        "lock_wait",
        (start_backend(), *CALM, *3 * (ask_both("/swaps/3/4", "/swaps/4/3"),)),
        ("postgres", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "deadlocks_console",
        "lock_wait",
        (start_backend(), *CALM, *3 * (ask_both("/swaps/5/6", "/swaps/6/5"),)),
        ("console",),
    ),
    Case(
        "sessions_ended_again_and_again",
        "dependency_down",
        (start_backend(), *3 * (ask("/orders/#", 2), run_sql(ENDED)), ask("/orders/1")),
        ("console", "postgres", "har"),
        files=stacks.DIRECT,
    ),
    # --- recordings ---
    Case(
        "async_leak_recorded_alone",
        "leaked_connections",
        (start_backend(), *CALM, ask("/feeds/#", 4), COLLECT, *CALM, stop()),
        ("recording",),
        LATER,
    ),
    Case(
        "async_leak_recorded",
        "leaked_connections",
        (start_backend(), *CALM, ask("/feeds/#", 4), COLLECT, *CALM, stop()),
        ("recording", "console", "har"),
        LATER,
        files=stacks.DIRECT,
    ),
    Case(
        "async_leak_until_dry",
        "leaked_connections",
        DRY,
        ("console", "har"),
        {"pool_size": 2, "pool_timeout": 0.15},
        files=stacks.DIRECT,
    ),
    Case(
        "async_leak_until_dry_recorded",
        "leaked_connections",
        (*DRY, stop()),
        ("console", "recording"),
        {"pool_size": 2, "pool_timeout": 0.15} | LATER,
    ),
    Case(
        "kept_recorded_alone",
        "leaked_connections",
        (*KEPT, *CALM, stop()),
        ("recording",),
        HASTE,
    ),
    Case(
        "kept_recorded",
        "leaked_connections",
        (*KEPT, *CALM, stop()),
        ("recording", "console", "har"),
        HASTE,
        files=stacks.DIRECT,
    ),
    Case(
        "well_recorded",
        "undetermined",
        (start_backend(), *CALM, *NOISE, stop()),
        ("recording", "console"),
        files=stacks.DIRECT,
    ),
    # --- what the application does besides ---
    Case(
        "database_at_nobody",
        "wrong_target",
        (start_backend(database=NOWHERE), *2 * (ask("/orders/#", 4),), ask("/health")),
        ("console", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "supplier_name_unknown_sound_stack",
        "name_not_resolved",
        (start_backend(supplier="http://supplier.invalid"), *CALM, ask("/stock/#", 4)),
        ("console", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "worker_killed_sound_stack",
        "crashed_worker",
        (
            start_workers(*GUNICORN),
            ask("/orders/#", 3),
            ask("/import/1"),
            wait_for("SIGKILL"),
            ask("/orders/#", 3),
        ),
        ("console", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "signup_twice_sound_stack",
        "poisoned_transactions",
        (start_backend(), *CALM, ask("/signup/#", 5)),
        ("console", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "gathered_session_collected",
        "shared_session",
        (start_backend(), ask("/orders/#", 2), ask("/bundle", 3), COLLECT, COLLECT),
        ("console",),
    ),
    Case(
        "gathered_session_collected_sound_stack",
        "shared_session",
        (start_backend(), ask("/orders/#", 2), ask("/bundle", 3), COLLECT, COLLECT),
        ("console", "har"),
        files=stacks.DIRECT,
    ),
    Case(
        "stream_breaks_off_for_clients",
        "unhandled_exception",
        (start_backend(), *CALM, ask("/stream", 4)),
        ("console", "har"),
    ),
    Case(
        "archive_without_table",
        "migration_half_applied",
        (*PROXIED, *CALM, ask("/archive/#", 3)),
        ("console", "access"),
        proxy="plain",
    ),
    Case(
        "starts_not_filled_sound_stack",
        "starts_missing",
        (
            run_sql(*stacks.PROGRESS, *stacks.SINCE),
            export(*TABLES),
            start_backend(),
            ask("/progress/#", 4),
        ),
        ("progress", "console"),
        files=stacks.DIRECT,
    ),
)
CASES = tuple(replace(case, held_out=False) for case in _CASES)
