from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from diagkit.analyses.leaks import CODES, KINDS, check_leaks, find_leaks
from diagkit.errors import SettingError
from diagkit.frames.findings import SEVERITIES
from diagkit.frames.logs import LOGS
from diagkit.signatures.catalogue import Signature, find_signature, load_signatures
from diagkit.sources.records import iterate_records

EXAMPLES = [(s, text) for s in load_signatures() for text in s.examples]


@pytest.mark.parametrize(("signature", "text"), EXAMPLES, ids=lambda x: str(x)[:40])
def test_each_example_is_explained_by_its_own_signature(
    signature: Signature, text: str
) -> None:
    lines = f"2025-11-24 18:17:11 - db - ERROR - {text}".split("\n")
    records = list(iterate_records(lines))
    logs = LOGS.build(
        {
            name: [getattr(r, name) for r in records]
            for name in ("message", "traceback", "exception", "line", "lines")
        }
        | {"source": ["a.log"] * len(records)}
    )
    found = find_leaks(logs, routine=True)
    assert found["signature"].tolist() == [signature.id]
    assert found["kind"].tolist() == [signature.kind]


def test_the_catalogue_is_whole() -> None:
    ids = [s.id for s in load_signatures()]
    assert len(ids) == len(set(ids)) >= 100
    for signature in load_signatures():
        assert signature.examples, signature.id
        assert signature.remedy, signature.id
        assert signature.meaning, signature.id
        assert signature.severity in SEVERITIES, signature.id
        assert signature.versions, signature.id
        assert signature.kind in KINDS, signature.id
    assert set(KINDS) - set(CODES) == {"resolution", "pool_event"}
    assert {s.kind for s in load_signatures()} == set(KINDS) - {"near"}


def test_routine_is_found_only_when_asked_for() -> None:
    text = next(s for s in load_signatures() if s.kind == "pool_event").examples[0]
    logs = LOGS.build({"message": [text], "source": "a", "line": [1], "lines": 1})
    assert find_leaks(logs).empty
    found = find_leaks(logs, routine=True)
    assert found["kind"].tolist() == ["pool_event"]
    assert check_leaks(found).empty


def test_a_pattern_must_match_too() -> None:
    signature = find_signature("progress.unrounded_percentage")
    assert signature.fits("{'completion_percentage': 51.69491525423729}", None)
    assert not signature.fits("{'completion_percentage': 51.69}", None)
    records = [f"{{'completion_percentage': {p}}}" for p in (51.69491525423729, 51.69)]
    logs = LOGS.build({"message": records, "source": "a", "line": [1, 2], "lines": 1})
    assert find_leaks(logs)["line"].tolist() == [1]


def test_what_says_little_is_tried_last() -> None:
    message = "Exception in ASGI application"
    logs = LOGS.build(
        {
            "message": [message, message],
            "traceback": [
                None,
                "QueuePool limit of size 5 overflow 10 reached, "
                "connection timed out, timeout 30.00",
            ],
            "source": "a",
            "line": [1, 2],
            "lines": 1,
        }
    )
    assert find_leaks(logs)["kind"].tolist() == ["crash", "exhaustion"]


def source_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    text = "".join(p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.py")))
    # Messages are split over lines as adjacent literals.
    return "".join(text.split()).replace('""', "").replace('"f"', "").replace("''", "")


@pytest.mark.parametrize(
    ("package", "identity"),
    [
        ("sqlalchemy", "sqlalchemy.gc_terminated"),
        ("sqlalchemy", "sqlalchemy.gc_dropped"),
        ("sqlalchemy", "sqlalchemy.pending_rollback"),
        ("sqlalchemy", "sqlalchemy.failed_flush"),
        ("sqlalchemy", "sqlalchemy.queuepool_timeout"),
        ("sqlalchemy", "sqlalchemy.reset_failed"),
        ("sqlalchemy", "sqlalchemy.missing_greenlet"),
        ("sqlalchemy", "sqlalchemy.concurrent_session"),
        ("sqlalchemy", "sqlalchemy.inactive_session"),
        ("sqlalchemy", "sqlalchemy.cursor_close_failed"),
        ("sqlalchemy", "sqlalchemy.illegal_state_change"),
        ("sqlalchemy", "sqlalchemy.illegal_state_operation"),
        ("sqlalchemy", "sqlalchemy.illegal_state_unchanged"),
        ("sqlalchemy", "sqlalchemy.pool_disposed"),
        ("sqlalchemy", "sqlalchemy.pool_recreating"),
        ("sqlalchemy", "sqlalchemy.reconnection_exhausted"),
        ("sqlalchemy", "sqlalchemy.invalidated_one"),
        ("sqlalchemy", "sqlalchemy.exceeded_timeout"),
        ("sqlalchemy", "sqlalchemy.returned"),
        ("sqlalchemy", "sqlalchemy.terminate_cancelled"),
        ("psycopg", "psycopg.deleted_while_open"),
    ],
)
def test_the_installed_library_still_says_so(package: str, identity: str) -> None:
    source = source_of(package)
    for literal in find_signature(identity).text:
        # These are put in by the program: a category, and words that depend on the
        # dialect. The captures in the integration tests hold them.
        if literal.startswith(("ResourceWarning", "which will be")):
            continue
        # A message is put together from parts: its last three words stand together.
        words = "".join(literal.removesuffix("<").split()[-3:]).removesuffix(",")
        assert words in source, (identity, literal)


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"did you mean 'sqlalchemy\.gc_dropped'"):
        find_signature("sqlalchemy.gc_droped")
