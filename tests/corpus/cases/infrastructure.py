"""Incidents of ports, targets and names."""

from __future__ import annotations

from tests.corpus import stacks
from tests.corpus.stage import Case
from tests.corpus.steps import (
    ask,
    start_backend,
    start_other,
    start_proxy,
    start_workers,
    wait_for,
)
from tests.corpus.traffic import CALM, GUNICORN, NOISE, PROXIED, PSYCOPG

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
        (
            start_other(),
            start_workers(*GUNICORN),
            wait_for("Connection in use"),
            ask("/basket", 4),
        ),
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
    Case(
        "port_taken_behind_proxy",
        "port_conflict",
        (start_other(calm=True), start_proxy(), start_backend(), ask("/cart/#", 6)),
        ("console", "access", "error"),
        {"dated": True},
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
    Case(
        "proxy_asks_host_for_unpublished",
        "not_exposed",
        (start_proxy(), ask("/orders/#", 5), ask("/tiles/#", 2)),
        ("access", "error", "har"),
        proxy="plain",
        files=stacks.BY_HOST,
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
    Case(
        "supplier_at_nobody_behind_proxy",
        "wrong_target",
        (*PROXIED, *CALM, ask("/stock/#", 5), *NOISE),
        ("console", "access", "error"),
        {"dated": True},
        proxy="plain",
        files=stacks.BEHIND,
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
    Case(
        "database_name_unknown_behind_proxy",
        "name_not_resolved",
        (
            start_backend(database="postgresql+psycopg://shop@database.invalid/shop"),
            start_proxy(),
            ask("/tiles/#", 4),
            ask("/health", 3),
        ),
        ("console", "access"),
        PSYCOPG | {"calm": True},
        proxy="plain",
        log="json",
    ),
)
