"""Incidents of migrations and what they left out, and some without a fault."""

from __future__ import annotations

from tests.corpus import stacks
from tests.corpus.stage import Case
from tests.corpus.steps import ask, export, run_sql, start_backend, stop
from tests.corpus.traffic import CALM, NOISE, PROXIED, PSYCOPG, TABLES

CASES = (
    # --- half a migration ---
    Case(
        "column_missing",
        "migration_half_applied",
        (
            run_sql(
                "ALTER TABLE orders ADD COLUMN IF NOT EXISTS execution_status text"
            ),
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
    Case(
        "table_missing_all_told",
        "migration_half_applied",
        (start_backend(), *CALM, ask("/audits/#", 5), *NOISE),
        ("console", "postgres", "har"),
        PSYCOPG,
        files=stacks.DIRECT,
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
    Case(
        "one_client_went_away",
        "undetermined",
        (*PROXIED, *3 * CALM, ask("/report?s=0.6", timeout_s=0.1), *3 * CALM),
        ("access", "error", "console"),
        proxy="plain",
    ),
    Case(
        "stopped_in_the_evening",
        "undetermined",
        (*PROXIED, *CALM, *NOISE, ask("/robots.txt"), stop()),
        ("access", "console", "postgres", "lines"),
        {"dated": True, "calm": True},
        proxy="plain",
        log="timed",
    ),
)
