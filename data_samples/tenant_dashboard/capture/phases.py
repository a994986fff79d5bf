"""When what happens: quiet and busy stretches, before and after the restart."""

from __future__ import annotations

from load import Phase

CALM = {"query_project": 10, "list_projects": 5, "health": 4, "stream_whole": 2}
BUSY = {"query_project": 40, "list_projects": 14, "query_unknown": 2, "export": 3}
EARLY = {"list_projects": 2, "health": 3, "query_project": 1}


def leaks(cut: int, missing: int, empty: int, reports: int, watches: int) -> dict:
    """Return the actions that lose connections, in these numbers."""
    return {
        "stream_cut": cut,
        "stream_missing": missing,
        "export_empty": empty,
        "report": reports,
        "watch": watches,
    }


FIRST_PHASES = (
    Phase("before migration", 12, EARLY),
    Phase("quiet", 40, CALM | {"query_unknown": 2, "bad_status": 1}),
    Phase("busy", 60, BUSY | leaks(18, 4, 3, 3, 0) | {"query_typo": 1}),
    Phase("quiet", 85, CALM | {"report": 1}),
    Phase("backends killed", 30, CALM | {"stream_long": 7, "stream_whole": 1}),
    Phase("busy", 60, BUSY | leaks(20, 4, 3, 2, 1) | {"bad_status": 2}),
    Phase("quiet", 50, CALM | {"bad_status": 1}),
)
SECOND_PHASES = (
    Phase("quiet", 20, CALM),
    Phase("busy", 45, BUSY | leaks(16, 3, 2, 4, 2) | {"query_typo": 1}),
    Phase("quiet", 60, CALM),
)
