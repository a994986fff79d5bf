"""Incidents of backends and their workers."""

from __future__ import annotations

from corpus import stacks
from corpus.stage import Case
from corpus.steps import (
    ask,
    end_all,
    kill,
    kill_during,
    start_backend,
    start_proxy,
    start_workers,
    stop,
    wait_for,
)
from corpus.traffic import CALM, GUNICORN, NOISE, PROXIED, UVICORN

CASES = (
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
)
