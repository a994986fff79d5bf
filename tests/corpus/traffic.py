"""What goes on in many incidents: who is started, and what is asked besides."""

from __future__ import annotations

from tests.corpus.steps import ask, start_backend, start_proxy

PSYCOPG = {"driver": "psycopg"}
PROXIED = (start_backend(), start_proxy())
# What goes on around a fault in which nothing is wrong.
CALM = (ask("/orders/#", 6), ask("/tiles/#", 3))
NOISE = (ask("/favicon.ico", 2), ask("/search"), ask("/orders/7"))
GUNICORN = ("gunicorn", "tests.corpus.bare:serve_wsgi", "-b", "127.0.0.1:@target")
GUNICORN += ("-w", "2", "--no-control-socket")
UVICORN = (
    "uvicorn",
    "tests.corpus.bare:serve_asgi",
    "--port",
    "@target",
    "--workers",
    "2",
)
COLLECT = ask("/collect", to="backend", method="POST", unheard=True)
TABLES = ("llm_project_config", "agent_tasks")
