from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from diagkit.analyses.leaks import CODES, KINDS, find_leaks
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
    found = find_leaks(logs)
    assert found["signature"].tolist() == [signature.id]
    assert found["kind"].tolist() == [signature.kind]


def test_the_catalogue_is_whole() -> None:
    ids = [s.id for s in load_signatures()]
    assert len(ids) == len(set(ids)) >= 40
    for signature in load_signatures():
        assert signature.examples, signature.id
        assert signature.remedy, signature.id
        assert signature.meaning, signature.id
        assert signature.severity in SEVERITIES, signature.id
        assert signature.kind in KINDS, signature.id
    assert set(CODES) == set(KINDS)


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
        words = "".join(literal.split()[-3:]).removesuffix(",")
        assert words in source, (identity, literal)


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"did you mean 'sqlalchemy\.gc_dropped'"):
        find_signature("sqlalchemy.gc_droped")
