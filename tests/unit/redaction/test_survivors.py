"""A seeded corpus of secrets: none survives in anything that leaves."""

from __future__ import annotations

import json
import random
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.cli import main
from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = string.ascii_letters + string.digits
LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated. "
)
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3 "
)
# How a secret stands in what applications log, `{}` for the secret itself.
PLACES = {
    "password": [
        "postgresql+psycopg://app:{}@db:5432/app",
        "redis://:{}@cache/0",
        "password={}",
        "PGPASSWORD='{}'",
        '{{"db_password": "{}", "a": 1}}',
        "{{'api_key': '{}', 'n': 2}}",
        "client_secret: {}",
        "https://x.example/cb?access_token={}&state=1",
        "Authorization: Bearer {}",
        "Cookie: session={}; theme=dark",
        "set-cookie: sid={}",
        "[SQL: select 1]\n[parameters: {{'name': '{}'}}]\n(Background on this error",
        "DETAIL:  Key (name)=({}) already exists.",
        "DETAIL:  Failing row contains (7, {}, null).",
        "Connection(host=db user={} database=x)",
        'locals={{"token": "\'{}\'", "n": 3}}',
        '[{{"name": "f", "locals": {{"who": "\'{}\'", "o": "{{}}"}}}}, {{"n": 1}}]',
        "╭── locals ──╮\n│ who = '{}' │\n╰────────────╯",
    ],
    "email": ["user {} logged in", "<{}>", "to={};", "Key (email)=({}) exists"],
    "card": ["card {} declined", "pan={}"],
    "address": ["client {} asked", "X-Forwarded-For: {}, 10.0.0.1"],
    "token": ["token {} expired", "header {}"],
}


def make(kind: str, draw: random.Random) -> str:
    word = "".join(draw.choices(LETTERS, k=20))
    if kind == "email":
        low = word.lower()
        return f"{low[:8]}.{low[8:12]}@mail-{low[:3]}.example.com"
    if kind == "card":
        return card(draw)
    if kind == "address":
        return (
            f"81.{draw.randint(1, 250)}.{draw.randint(1, 250)}.{draw.randint(1, 250)}"
        )
    if kind == "token":
        heads = ("AKIA", "xoxb-", "glpat-", "ghp_", "sk_live_", "eyJhbGciOi.eyJz.")
        head = draw.choice(heads)
        return head + (word[:16].upper() if head == "AKIA" else word + word)
    return f"S3cr{word}"


def card(draw: random.Random) -> str:
    digits = [4, *(draw.randint(0, 9) for _ in range(14))]
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits))
    return "".join(map(str, [*digits, -total % 10]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """An incident whose every message holds a secret, and the secrets."""
    folder = tmp_path_factory.mktemp("corpus") / "in"
    folder.mkdir()
    draw = random.Random(20261123)
    lines, secrets = [], []
    for kind, places in PLACES.items():
        for place in places:
            for known in (LEAK, TIMEOUT):
                secret = make(kind, draw)
                secrets.append(secret)
                text = place.format(secret)
                at = f"2025-11-24 10:{len(lines) // 60:02d}:{len(lines) % 60:02d}"
                lines.append(f"{at} [ERROR] shop.{kind}: {known}{text}\n")
    (folder / "api.log").write_text("".join(lines), encoding="utf-8")
    (folder / "incident.toml").write_text(
        f'zone = "UTC"\ntitle = "of {secrets[-20]}"\n'
    )
    (folder / "prod").mkdir()
    (folder / "prod/compose.yaml").write_text(
        "services:\n  api:\n    image: x\n    environment:\n"
        f"      DATABASE_URL: postgresql://app:{secrets[0]}@localhost:5432/app\n"
        f"      API_KEY: {secrets[1]}\n"
    )
    return folder, secrets


def survivors(text: str, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("ending", ["html", "md", "ipynb", "json"])
def test_none_survives_in_a_report(corpus, tmp_path: Path, ending: str) -> None:
    folder, secrets = corpus
    path = tmp_path / f"out.{ending}"
    dk.render_report(dk.open_incident(folder), path)
    text = path.read_text(encoding="utf-8")
    assert "QueuePool limit" in text
    assert survivors(text, secrets) == []
    if ending == "json":
        # The number is that of what stands in the file.
        assert json.loads(text)["redactions"] == text.count("[redacted:") > 0


@pytest.mark.parametrize("command", ["leaks", "triage", "check", "ports"])
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_none_survives_on_a_terminal(corpus, capsys, command: str, option) -> None:
    folder, secrets = corpus
    path = folder / "api.log" if command == "leaks" else folder
    main(
        [command, str(path), *(["--tz", "UTC"] if command == "leaks" else []), *option]
    )
    out, err = capsys.readouterr()
    assert len(out) > 100
    assert survivors(out + err, secrets) == []


def test_none_survives_in_what_an_explorer_shows(corpus) -> None:
    folder, secrets = corpus
    incident = dk.open_incident(folder)
    leaks = dk.find_leaks(incident.logs)
    explorer = dk.LeakExplorer(leaks, incident.logs)
    pages = [str(explorer.static())]
    for bar in explorer.view().bars:
        explorer.set(bar=bar.value)
        pages.append(str(explorer.static()))
    board = dk.IncidentBoard(incident)
    pages.append(str(board.static()))
    for finding in dk.rank_findings(incident)["id"]:
        board.set(finding=finding)
        pages.append(str(board.static()))
    assert survivors("".join(pages), secrets) == []
    assert "[redacted:" in "".join(pages)


def test_one_user_stays_one_user(corpus, tmp_path: Path) -> None:
    folder, secrets = corpus
    first, other = tmp_path / "a.md", tmp_path / "b.md"
    dk.render_report(dk.open_incident(folder), first, redact_key="one key")
    dk.render_report(dk.open_incident(folder), other, redact_key="another")
    assert survivors(first.read_text() + other.read_text(), secrets) == []
    assert first.read_text() != other.read_text()
    again = tmp_path / "c.md"
    dk.render_report(dk.open_incident(folder), again, redact_key="one key")
    assert again.read_bytes() == first.read_bytes()


EMAIL = st.builds(
    "{}@{}.example.com".format,
    st.text(string.ascii_lowercase, min_size=1, max_size=9),
    st.text(string.ascii_lowercase, min_size=1, max_size=9),
)


@given(first=EMAIL, other=EMAIL, key=st.text(min_size=1, max_size=8))
def test_pseudonyms_are_the_same_for_the_same(first: str, other: str, key: str) -> None:
    names = [
        redact_text(f"from {one}!", key).text for one in (first, first.upper(), other)
    ]
    assert names[0] == names[1]
    assert (names[0] == names[2]) == (first == other)
    assert first not in names[0]
    assert redact_text(names[0], key).count == 0


def test_ordinary_logs_stay_as_they_are(sample: Path) -> None:
    """Of the bundled logs, what is replaced is what was planted or is a parameter."""
    changed = {}
    for name in ("api.log", "console.log"):
        lines = (sample / name).read_text(encoding="utf-8").splitlines()
        done = [redact_text(line) for line in lines]
        found = [one.text for one in done if one.count]
        changed[name] = (len(found), len(lines))
        allowed = ("parameters", "driver", "dsn", "email", "key_value", "row")
        kinds = {
            part.split("]")[0] for t in found for part in t.split("[redacted:")[1:]
        }
        assert kinds <= set(allowed), (name, kinds)
    assert all(few <= 0.1 * many for few, many in changed.values()), changed
