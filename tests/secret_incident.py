"""An incident with secrets wherever an incident has text, and a search for them."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import string
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LETTERS = string.ascii_lowercase + string.digits
# A chart cuts names, a table folds them: this much of a secret is one.
ENOUGH = 8
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3.00 "
)
LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated. "
)


class Secrets:
    """Secrets that were planted, and where.

    Attributes
    ----------
    places
        The place of each secret.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.places: dict[str, str] = {}

    def plant(self, place: str, shape: str = "email") -> str:
        """Return text with a new secret, as a place would hold it."""
        word = "".join(self._draw.choices(LETTERS, k=20))
        secret, text = {
            "email": (word, f"{word}@mail.example.com"),
            "password": (word, f"password={word}"),
            "dsn": (word, f"postgresql://app:{word}@db/app"),
            "gitlab": (word, f"glpat-{word}"),
            "aws": (word[:16].upper(), f"AKIA{word[:16].upper()}"),
            "bearer": (word, f"Authorization: Bearer {word}"),
            "card": (card := self._card(), f"card {card}"),
        }[shape]
        self.places[secret] = f"{place} ({shape})"
        return text

    def survivors(self, text: str) -> list[str]:
        """Return the places of the secrets that stand in text, whole or in part."""
        text = re.sub(r"data:image/[a-z+]+;base64,[\w+/=\\]+", "", text)
        # A page escapes, a cell and a legend fold.
        flat = re.sub(r"[\s\\]|<wbr>|&shy;", "", unescape(text))
        return sorted(
            place for secret, place in self.places.items() if secret[:ENOUGH] in flat
        )

    def _card(self) -> str:
        digits = [5, 5, *(self._draw.randint(0, 9) for _ in range(13))]
        total = sum(
            d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)
        )
        return "".join(map(str, [*digits, -total % 10]))


SHAPES = ("email", "password", "dsn", "gitlab", "aws", "bearer", "card")


def build(samples: Path, folder: Path) -> tuple[Path, Secrets]:
    """Make an incident of the bundled ones, a secret in everything that is named.

    Parameters
    ----------
    samples
        The bundled incidents.
    folder
        Where.

    Returns
    -------
    tuple
        Its folder, which is named after one too, and the secrets.
    """
    secrets = Secrets(20261124)
    incident = folder / f"of {secrets.plant('folder')}"
    incident.mkdir()
    parts: list[Callable[[Path, Path, Secrets], None]] = [
        _logs,
        _http,
        _compose,
        _recording,
        _progress,
        _description,
    ]
    for part in parts:
        part(samples, incident, secrets)
    return incident, secrets


def _logs(samples: Path, incident: Path, secrets: Secrets) -> None:
    lines = []
    for number in range(60):
        shape = SHAPES[number % len(SHAPES)]
        logger = f"app.{secrets.plant('logger', 'email')}" if number < 7 else "app.db"
        text = (LEAK, TIMEOUT)[number % 2] + secrets.plant("message", shape)
        lines += [f"2026-11-22 17:14:{number:02d} [ERROR   ] {logger}: {text}\n"]
    # Of no format, and a year before: bins have to follow the span.
    lines += [f"?? {secrets.plant('unknown line')}\n"]
    lines += ["2025-11-22 17:14:00 [INFO    ] app: started\n"]
    inner = incident / secrets.plant("log folder", "gitlab")
    inner.mkdir()
    (inner / f"{secrets.plant('log file', 'password')}.log").write_text("".join(lines))


def _http(samples: Path, incident: Path, secrets: Secrets) -> None:
    lines = []
    for number in range(30):
        path = secrets.plant("path", "email") if number % 10 == 0 else "tiles"
        query = f"?q={secrets.plant('query', 'email')}&{secrets.plant('query', 'dsn')}"
        lines.append(
            f"127.0.0.1 - {secrets.plant('remote user')} "
            f"[22/Nov/2026:17:14:{number:02d} +0000] "
            f'"GET /x/{path}{query} HTTP/1.1" {503 if number % 2 else 200} 12 '
            f'"http://r/{secrets.plant("referer")}" "{secrets.plant("agent")}"\n'
        )
    (incident / f"access {secrets.plant('access log')}.log").write_text("".join(lines))
    har = (samples / "two_stacks/browser.har").read_text()
    inner = secrets.plant("path of a client", "gitlab")
    har = har.replace("http://localhost:8000/", f"http://localhost:8000/{inner}/")
    (incident / "browser.har").write_text(har)


def _compose(samples: Path, incident: Path, secrets: Secrets) -> None:
    for number in range(2):
        stack = incident / secrets.plant("stack")
        stack.mkdir()
        (stack / "compose.yaml").write_text(
            f'services:\n  "{secrets.plant("service")}":\n'
            f'    image: "reg/{secrets.plant("image")}"\n'
            f'    container_name: "{secrets.plant("container")}"\n'
            f'    ports: ["8000:{8000 + number}"]\n    environment:\n'
            f"      OWNER: {secrets.plant('environment')}\n"
            f"      API_KEY: {secrets.plant('environment', 'aws')}\n"
            "      DATABASE_URL: "
            f"postgresql://{secrets.plant('user')[:20]}:"
            f"{secrets.plant('password')[:20]}@localhost:5432/app\n"
        )


def _recording(samples: Path, incident: Path, secrets: Secrets) -> None:
    (incident / "recording").mkdir()
    for path in sorted((samples / "pool_pressure/recording").glob("*.jsonl")):
        text = path.read_text().replace('"pool":"api"', '"pool":"%s"')
        text = text.replace('"pool":"%s"', f'"pool":"{secrets.plant("pool", "email")}"')
        text = text.replace("shop.py", f"{secrets.plant('holder', 'gitlab')}.py")
        task = secrets.plant("task")
        text = text.replace('"task":"', f'"task":"{task} ')
        operation = secrets.plant("operation", "password")
        text = text.replace('"operation":"', f'"operation":"{operation} ')
        text = text.replace("MainThread", secrets.plant("thread", "aws"))
        (incident / "recording" / path.name).write_text(text)
    shutil.copy(samples / "pool_pressure/activity.csv.gz", incident)


def _progress(samples: Path, incident: Path, secrets: Secrets) -> None:
    path = incident / f"{secrets.plant('database')}.sqlite"
    shutil.copy(samples / "tenant_dashboard/progress.sqlite", path)
    data = sqlite3.connect(path)
    every = data.execute("select distinct project_id from llm_project_config")
    for number, (project,) in enumerate(every.fetchall()):
        shape = ("email", "password", "gitlab", "aws")[number % 4]
        name = secrets.plant("project", shape)
        for table in ("llm_project_config", "agent_tasks"):
            data.execute(
                f"update {table} set project_id = ? where project_id = ?",
                (name, project),
            )
    data.execute(
        "update llm_project_config set client_name = ?, execution_error = ?",
        (secrets.plant("client"), secrets.plant("project error", "dsn")),
    )
    data.execute(
        "update agent_tasks set task_name = ?, agent_type = ?, agent_id = ?",
        (
            secrets.plant("task name"),
            secrets.plant("agent type"),
            secrets.plant("agent"),
        ),
    )
    data.commit()
    data.close()


def _description(samples: Path, incident: Path, secrets: Secrets) -> None:
    (incident / "incident.toml").write_text(
        f'title = "of {secrets.plant("title", "dsn")}"\nzone = "UTC"\n'
        + "".join(
            f"[[marks]]\nat = 2026-11-22T17:14:{second}Z\n"
            f'label = "deploy by {secrets.plant("mark", shape)}"\n'
            for second, shape in ((10, "email"), (30, "password"), (50, "card"))
        )
    )
