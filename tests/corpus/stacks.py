"""Compose files and scripts of the shop, sound ones and some with a fault in them."""

from __future__ import annotations

_DB = """
  db:
    image: postgres:18
    environment:
      POSTGRES_USER: shop
    healthcheck:
      test: pg_isready -U shop
"""
_API = """
  api:
    image: registry.example/shop-api:7
    command: uvicorn shop.server:app --host 0.0.0.0 --port 8000
    environment:
      DATABASE_URL: postgresql+psycopg://shop@db:5432/shop
"""
_PROXY = """
  proxy:
    image: nginx:1.29
    volumes:
      - ./proxy/shop.conf:/etc/nginx/conf.d/shop.conf
    ports:
      - "80:80"
"""
_CONF = "server {\n  listen 80;\n  location / { proxy_pass http://@@; }\n}\n"
_WEB = """
  web:
    image: registry.example/shop-web:7
    command: serve --port 3000
    environment:
      VITE_API_URL: http://localhost:8000
    ports:
      - "3000:3000"
"""


def _stack(*services: str) -> str:
    return "services:" + "".join(services)


def _with_ports(service: str, *ports: str) -> str:
    listed = "".join(f'      - "{port}"\n' for port in ports)
    return f"{service}    ports:\n{listed}"


# The shop as it should be: a published API, or one behind a proxy.
DIRECT = {"compose.yaml": _stack(_DB, _with_ports(_API, "8000:8000"))}
BEHIND = {
    "compose.yaml": _stack(_DB, _API, _PROXY),
    "proxy/shop.conf": _CONF.replace("@@", "api:8000"),
}
# A mock of the API that wants its port, too; in the same stack and in another's.
MOCK = """
  mock:
    image: stoplight/prism:5
    command: mock -h 0.0.0.0 -p 4010 /contracts/shop.yaml
"""
TAKEN = {
    "compose.yaml": _stack(
        _DB, _with_ports(_API, "8000:8000"), _with_ports(MOCK, "8000:4010")
    )
}
TWO_STACKS = {
    "shop/compose.yaml": _stack(_DB, _with_ports(_API, "8000:8000")),
    "contracts/compose.yaml": _stack(_with_ports(MOCK, "${MOCK_PORT:-8000}:4010")),
}
# The web page asks for a port that only development publishes.
FORMS = {
    "dev/compose.yaml": _stack(_DB, _with_ports(_API, "8000:8000"), _WEB),
    "prod/compose.yaml": _stack(_DB, _API, _WEB),
}
UNPUBLISHED = {"compose.yaml": _stack(_DB, _API, _WEB)}
LOOPBACK = {
    "compose.yaml": _stack(
        _DB,
        _with_ports(_API.replace("0.0.0.0", "127.0.0.1"), "8000:8000"),
        _WEB,
    )
}
LOOPBACK_BEHIND = {
    "compose.yaml": _stack(_DB, _API.replace("0.0.0.0", "127.0.0.1"), _PROXY),
    "proxy/shop.conf": _CONF.replace("@@", "api:8000"),
}
BY_HOST = {
    "compose.yaml": _stack(_DB, _API, _PROXY),
    "proxy/shop.conf": _CONF.replace("@@", "host.docker.internal:8000"),
}
# Targets where nobody is.
WRONG_PORT = BEHIND | {"proxy/shop.conf": _CONF.replace("@@", "api:8080")}
LOCALHOST = BEHIND | {
    "compose.yaml": _stack(_DB, _API.replace("@db:", "@localhost:"), _PROXY)
}
PROXY_LOCALHOST = BEHIND | {"proxy/shop.conf": _CONF.replace("@@", "127.0.0.1:8000")}
UNKNOWN = BEHIND | {
    "compose.yaml": _stack(_DB, _API.replace("@db:", "@database:"), _PROXY)
}

# What a dashboard's percentage is computed from, before and after a migration.
PROGRESS = (
    "DROP TABLE IF EXISTS llm_project_config, agent_tasks",
    "CREATE TABLE llm_project_config (id integer PRIMARY KEY, project_id text UNIQUE,"
    " client_name text NOT NULL, is_active boolean NOT NULL DEFAULT true,"
    " created_at timestamptz NOT NULL, updated_at timestamptz)",
    "CREATE TABLE agent_tasks (id integer PRIMARY KEY, task_id text UNIQUE,"
    " project_id text NOT NULL, agent_type text NOT NULL, task_name text NOT NULL,"
    " status text NOT NULL, created_at timestamptz NOT NULL, started_at timestamptz,"
    " completed_at timestamptz)",
    "INSERT INTO llm_project_config SELECT n, 'p' || n, 'client ' || n, true,"
    " timestamptz '2025-11-01 08:00+00' + n * interval '1 h'"
    " FROM generate_series(1, 12) n",
    # The last two have not begun.
    "INSERT INTO agent_tasks SELECT 10 * p + t, 't' || (10 * p + t), 'p' || p, 'build',"
    " 'task', CASE WHEN t > 4 THEN 'running' ELSE 'completed' END, created,"
    " created + interval '5 min', CASE WHEN t <= 4 THEN created + interval '9 min' END"
    " FROM generate_series(1, 10) p, generate_series(1, 5) t,"
    " LATERAL (SELECT timestamptz '2025-11-01 08:00+00' + p * interval '1 h'"
    " + t * interval '1 min' AS created) at",
    "ALTER TABLE llm_project_config ADD COLUMN execution_status text DEFAULT 'pending'",
    "ALTER TABLE llm_project_config ADD COLUMN execution_started_at timestamptz",
    "ALTER TABLE llm_project_config ADD COLUMN execution_completed_at timestamptz",
    "UPDATE llm_project_config SET execution_status = 'running' WHERE id <= 10",
)
# What the application wrote since; what the migration should have filled in.
SINCE = (
    "UPDATE llm_project_config SET execution_started_at = created_at"
    " + interval '6 min' WHERE id BETWEEN 8 AND 10",
)
FILLED = (
    "UPDATE llm_project_config SET execution_started_at = created_at"
    " + interval '6 min' WHERE id <= 10",
)
