"""The incidents: what happens in each, what is left of it, and what its cause is."""

from __future__ import annotations

import hashlib

from corpus import stacks
from corpus.stage import Case
from corpus.steps import (
    ask,
    ask_both,
    end_all,
    export,
    hold,
    kill,
    kill_during,
    release,
    run_sql,
    start_backend,
    start_database,
    start_other,
    start_proxy,
    start_workers,
    stop,
    stop_database,
    take_slots,
    wait_for,
    wait_for_database,
)

PSYCOPG = {"driver": "psycopg"}
PROXIED = (start_backend(), start_proxy())
# What goes on around a fault in which nothing is wrong.
CALM = (ask("/orders/#", 6), ask("/tiles/#", 3))
NOISE = (ask("/favicon.ico", 2), ask("/search"), ask("/orders/7"))
GUNICORN = ("gunicorn", "corpus.bare:serve_wsgi", "-b", "127.0.0.1:@target")
GUNICORN += ("-w", "2")
UVICORN = ("uvicorn", "corpus.bare:serve_asgi", "--port", "@target", "--workers", "2")
COLLECT = ask("/collect", to="backend", method="POST", unheard=True)
TABLES = ("llm_project_config", "agent_tasks")

CASES = (
    # --- two want one port ---
    Case(
        "port_taken_console",
        "port_conflict",
        (start_other(), start_backend(), ask("/health", 3)),
        ("console",),
    ),
    Case(
        "port_taken_by_mock",
        "port_conflict",
        (start_other(), start_backend(), ask("/basket/#", 5), *NOISE),
        ("har", "console"),
        {"dated": True},
        files=stacks.TAKEN,
    ),
    Case(
        "port_taken_in_two_stacks",
        "port_conflict",
        (start_other(calm=True), ask("/totals/#", 5), ask("/orders/#", 4)),
        ("har",),
        files=stacks.TWO_STACKS,
    ),
    Case(
        "port_taken_gunicorn",
        "port_conflict",
        (start_other(), start_workers(*GUNICORN), ask("/basket", 4)),
        ("console", "lines"),
    ),
    Case(
        "port_taken_after_deploy",
        "port_conflict",
        (start_backend(), start_proxy(), *CALM, start_backend(), *NOISE),
        ("console", "access"),
        proxy="plain",
        log="timed",
    ),
    # --- not to be had from outside ---
    Case(
        "not_published_in_production",
        "not_exposed",
        (
            start_backend(),
            ask("/health", 8, to="backend", unheard=True),
            ask("/orders/#", 6, to="nobody"),
        ),
        ("har", "console"),
        files=stacks.FORMS,
    ),
    Case(
        "not_published_at_all",
        "not_exposed",
        (start_backend(), ask("/orders/#", 5, to="nobody")),
        ("lines",),
        files=stacks.UNPUBLISHED,
    ),
    Case(
        "listens_for_itself",
        "not_exposed",
        (
            start_backend(),
            ask("/health", 4, to="backend", unheard=True),
            ask("/orders/#", 6, to="other"),
        ),
        ("har", "console"),
        {"dated": True},
        files=stacks.LOOPBACK,
    ),
    Case(
        "listens_for_itself_behind_proxy",
        "not_exposed",
        (*PROXIED, ask("/health", 4, to="backend", unheard=True), ask("/orders/#", 6)),
        ("access", "error", "console"),
        proxy="elsewhere",
        files=stacks.LOOPBACK_BEHIND,
    ),
    # --- a target where nobody is ---
    Case(
        "proxy_to_nobody",
        "wrong_target",
        (start_proxy(), ask("/orders/#", 8)),
        ("access", "error"),
        proxy="plain",
    ),
    Case(
        "proxy_to_nobody_backend_well",
        "wrong_target",
        (
            start_proxy(),
            start_backend(port="@nobody"),
            ask("/health", 6, to="nobody", unheard=True),
            ask("/orders/#", 8),
            ask("/favicon.ico"),
        ),
        ("access", "error", "console", "har"),
        proxy="plain",
        log="json",
    ),
    Case(
        "proxy_to_wrong_port",
        "wrong_target",
        (start_proxy(), ask("/orders/#", 5), ask("/health", 2)),
        ("access", "error"),
        proxy="plain",
        log="timed",
        files=stacks.WRONG_PORT,
    ),
    Case(
        "proxy_to_itself",
        "wrong_target",
        (start_proxy(), ask("/orders/#", 5)),
        ("error", "lines"),
        proxy="plain",
        files=stacks.PROXY_LOCALHOST,
    ),
    Case(
        "one_route_to_nobody",
        "wrong_target",
        (*PROXIED, ask("/orders/1"), ask("/admin/users/#", 5), *CALM, *NOISE),
        ("access", "error", "console"),
        proxy="two",
    ),
    Case(
        "database_at_localhost",
        "wrong_target",
        (
            start_backend(database="postgresql+psycopg://shop@127.0.0.1:@nobody/shop"),
            ask("/health", 3),
            ask("/orders/#", 5),
        ),
        ("console", "har"),
        files=stacks.LOCALHOST,
    ),
    Case(
        "supplier_at_nobody",
        "wrong_target",
        (start_backend(), *CALM, ask("/stock/#", 6), ask("/health", 2)),
        ("console",),
        {"calm": True, "dated": True},
    ),
    # --- a name that nobody knows ---
    Case(
        "proxy_does_not_start",
        "name_not_resolved",
        (start_backend(), start_proxy(), ask("/orders/#", 3)),
        ("error", "har"),
        proxy="strict",
    ),
    Case(
        "proxy_asks_resolver",
        "name_not_resolved",
        (start_proxy(), ask("/orders/#", 6)),
        ("error", "access"),
        proxy="late",
        log="timed",
    ),
    Case(
        "database_name_unknown",
        "name_not_resolved",
        (
            start_backend(database="postgresql+psycopg://shop@database.invalid/shop"),
            ask("/orders/#", 5),
            ask("/health", 2),
        ),
        ("console",),
        {"dated": True},
        files=stacks.UNKNOWN,
    ),
    Case(
        "database_name_unknown_async",
        "name_not_resolved",
        (
            start_backend(database="postgresql+psycopg://shop@database.invalid/shop"),
            ask("/tiles/#", 5),
            ask("/health", 2),
        ),
        ("console", "lines"),
    ),
    Case(
        "supplier_name_unknown",
        "name_not_resolved",
        (
            start_backend(supplier="http://supplier.invalid"),
            *CALM,
            ask("/stock/#", 4),
        ),
        ("console",),
        {"calm": True},
    ),
    # --- the backend is gone ---
    Case(
        "backend_killed",
        "backend_down",
        (*PROXIED, *CALM, kill(), ask("/orders/#", 5), start_backend(), *CALM),
        ("access", "error", "console"),
        proxy="plain",
    ),
    Case(
        "backend_stopped",
        "backend_down",
        (*PROXIED, *CALM, *NOISE, stop(), ask("/orders/#", 6)),
        ("access", "error"),
        proxy="plain",
        log="timed",
    ),
    Case(
        "backend_restarted",
        "backend_down",
        (*PROXIED, *CALM, stop(), ask("/orders/#", 4), start_backend(), *CALM),
        ("access", "error", "console", "har"),
        {"dated": True},
        proxy="plain",
        files=stacks.BEHIND,
    ),
    Case(
        "backend_killed_at_work",
        "backend_down",
        (
            *PROXIED,
            *CALM,
            kill_during("/search?s=5&n=#"),
            ask("/orders/#", 4),
            start_backend(),
            *CALM,
        ),
        ("access", "error", "console"),
        proxy="plain",
        log="json",
    ),
    Case(
        "both_backends_gone",
        "backend_down",
        (
            *PROXIED,
            start_backend(port="@nobody"),
            ask("/orders/#", 8),
            end_all(),
            ask("/orders/#", 6),
        ),
        ("access", "error", "har"),
        proxy="group",
    ),
    Case(
        "backend_stopped_proxy_alone",
        "backend_down",
        (*PROXIED, *CALM, kill(), ask("/orders/#", 6), ask("/tiles/#", 3)),
        ("access", "lines"),
        proxy="plain",
        log="json",
    ),
    # --- workers die ---
    Case(
        "worker_out_of_memory",
        "crashed_worker",
        (
            start_workers(*GUNICORN),
            start_proxy(),
            ask("/orders/#", 6),
            ask("/import/#", 3),
            wait_for("SIGKILL", 3),
            ask("/orders/#", 3),
        ),
        ("console", "access", "error"),
        proxy="plain",
    ),
    Case(
        "worker_segfaults",
        "crashed_worker",
        (
            start_workers(*GUNICORN),
            ask("/orders/#", 4),
            ask("/resize/#", 2),
            wait_for("SIGSEGV", 2),
        ),
        ("console", "har"),
    ),
    Case(
        "worker_blocked",
        "crashed_worker",
        (
            start_workers(*GUNICORN, "-t", "1"),
            start_proxy(),
            ask("/orders/#", 4),
            ask("/block/#", 2, together=True),
            wait_for("WORKER TIMEOUT", 2),
        ),
        ("console", "access", "error"),
        proxy="plain",
        files=stacks.BEHIND,
    ),
    Case(
        "uvicorn_worker_killed",
        "crashed_worker",
        (
            start_workers(*UVICORN),
            wait_for("Application startup complete", 2),
            ask("/orders/#", 4),
            ask("/import/1"),
            wait_for("died"),
            wait_for("Application startup complete", 3),
            ask("/orders/#", 4),
        ),
        ("console",),
    ),
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
        (start_backend(), take_slots(), ask("/tiles/#", 5), release(), ask("/orders/1")),
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
    # --- too slow for who asks ---
    Case(
        "slow_upstream",
        "timeout",
        (*PROXIED, *CALM, ask("/report?s=1", 4, together=True), *CALM),
        ("access", "error"),
        proxy="hasty",
    ),
    Case(
        "slow_query_upstream",
        "timeout",
        (*PROXIED, ask("/orders/#", 4), ask("/search?s=1", 4, together=True), *NOISE),
        ("access", "error", "console"),
        {"dated": True},
        proxy="hasty",
        log="timed",
        files=stacks.BEHIND,
    ),
    Case(
        "clients_give_up",
        "timeout",
        (
            *PROXIED,
            *CALM,
            ask("/report?s=0.8", 4, together=True, timeout_s=0.3),
            *CALM,
        ),
        ("access", "har"),
        proxy="plain",
        log="json",
    ),
    Case(
        "slow_upstream_told_by_proxy",
        "timeout",
        (*PROXIED, *CALM, ask("/report?s=1", 5, together=True)),
        ("access", "lines"),
        proxy="hasty",
    ),
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
    # --- half a migration ---
    Case(
        "column_missing",
        "migration_half_applied",
        (
            run_sql("ALTER TABLE orders ADD COLUMN IF NOT EXISTS execution_status text"),
            start_backend(),
            *CALM,
            ask("/runs/#", 5),
            *NOISE,
        ),
        ("console", "har"),
    ),
    Case(
        "table_missing",
        "migration_half_applied",
        (*PROXIED, *CALM, ask("/audits/#", 5)),
        ("console", "access"),
        {"calm": True},
        proxy="plain",
    ),
    Case(
        "column_missing_server_log",
        "migration_half_applied",
        (start_backend(), ask("/runs/#", 4), *CALM),
        ("postgres",),
    ),
    # --- starts that a migration left out ---
    Case(
        "starts_not_filled",
        "starts_missing",
        (run_sql(*stacks.PROGRESS, *stacks.SINCE), export(*TABLES)),
        ("progress",),
    ),
    Case(
        "starts_not_filled_api_well",
        "starts_missing",
        (
            run_sql(*stacks.PROGRESS, *stacks.SINCE),
            export(*TABLES),
            start_backend(),
            ask("/progress/#", 5),
            *CALM,
        ),
        ("progress", "console"),
        {"dated": True},
    ),
    Case(
        "starts_not_filled_noise",
        "starts_missing",
        (
            run_sql(*stacks.PROGRESS, *stacks.SINCE),
            export(*TABLES),
            *PROXIED,
            *CALM,
            *NOISE,
            ask("/progress/#", 3),
        ),
        ("progress", "console", "access", "har"),
        proxy="plain",
        files=stacks.BEHIND,
    ),
    # --- nothing is wrong, or nothing tells ---
    Case(
        "all_well",
        "undetermined",
        (*PROXIED, *CALM, *NOISE, *CALM, stop()),
        ("access", "error", "console", "har"),
        proxy="plain",
        files=stacks.BEHIND,
    ),
    Case(
        "all_well_recorded",
        "undetermined",
        (start_backend(), *CALM, *NOISE, stop()),
        ("console", "recording", "postgres"),
        {"dated": True},
    ),
    Case(
        "not_started_yet",
        "undetermined",
        (
            run_sql(*stacks.PROGRESS, *stacks.FILLED),
            export(*TABLES),
            start_backend(),
            *CALM,
        ),
        ("progress", "console"),
    ),
    Case(
        "errors_without_reason",
        "undetermined",
        (start_backend(), *CALM, ask("/totals/#", 4), *CALM),
        ("har",),
    ),
    Case(
        "sound_stacks",
        "undetermined",
        (start_backend(), *CALM, ask("/favicon.ico", 3)),
        ("lines",),
        files=stacks.DIRECT,
    ),
)


def is_held_out(case: Case) -> bool:
    """Tell whether a case was left aside while the weights were chosen: one of three."""
    return int(hashlib.sha256(case.name.encode()).hexdigest(), 16) % 3 == 0
