"""HTTP: requests, as each observer saw them; and what the observers do not agree on."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

OBSERVERS = ("backend", "proxy", "client")
# Of a request that got no answer at all there is no status.
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "no answer")

HTTP = Contract(
    "HTTP",
    (
        Column("timestamp", UTC_TIME, True, "", "NaT where there is none"),
        Column("observer", "category", False, "", " | ".join(OBSERVERS)),
        Column("method", "str", False, "", "GET, POST ..."),
        Column("path", "str", False, "", "without host and query"),
        Column("route", "str", False, "", "the path, its ids folded: /tiles/{id}"),
        Column("status", "Int64", True, "", "missing: no answer"),
        Column("duration_s", "float64", True, "seconds", "by the observer's clock"),
        Column("upstream_status", "Int64", True, "", "what a proxy was answered"),
        Column("source", "str", False, "", "the file"),
        Column("line", "int64", False, "", "from 1; of a HAR file: the entry"),
        Column("origin", "str", True, "", "http://shop:8000, as a client named it"),
        Column("error", "str", True, "", "why it broke off, in the observer's words"),
    ),
)

STATUSES = Contract(
    "STATUSES",
    (
        Column("timestamp", UTC_TIME, False, "", "when the bin begins"),
        Column("observer", "category", False, "", " | ".join(OBSERVERS)),
        Column("route", "str", False, "", "as in HTTP"),
        Column("status_class", "category", False, "", " | ".join(CLASSES)),
        Column("requests", "int64", False, "requests", "in the bin"),
    ),
)

UNSEEN = Contract(
    "UNSEEN",
    (
        Column("method", "str", False, "", "as in HTTP"),
        Column("route", "str", False, "", "as in HTTP"),
        Column("failed", "int64", False, "requests", "that failed for the client"),
        Column("statuses", "str", False, "", "503: 18, no answer: 2"),
        Column("backend", "int64", False, "requests", "of it that the backend saw"),
        Column("unseen_low", "int64", False, "requests", "surely not seen by it"),
        Column("unseen_high", "int64", False, "requests", "not seen to fail by it"),
    ),
)
