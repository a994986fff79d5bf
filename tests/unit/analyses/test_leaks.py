from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.leaks import check_leaks, count_leaks, find_leaks
from diagkit.analyses.matching import match_records
from diagkit.errors import ContractError, SettingError
from diagkit.frames.findings import FINDINGS
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS
from diagkit.signatures.catalogue import Signature, load_signatures

GC = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <psycopg.AsyncConnection [INTRANS] (host=h) at {}>>, which "
    "will be dropped, as it cannot be safely terminated."
)
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3"
)
POOL = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"
AT = "2025-11-24T10:00:{:02}.{}Z"


def make_logs(*records: dict[str, object]) -> pd.DataFrame:
    rows = [
        {"source": "api.log", "line": n, "lines": 1, "timestamp": AT.format(n, 0)} | r
        for n, r in enumerate(records, start=1)
    ]
    frame = pd.DataFrame(rows)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True, format="ISO8601")
    return LOGS.conform(frame)


def error(address: str, **more: object) -> dict[str, object]:
    return {"message": GC.format(address), "logger": POOL, "level": "ERROR"} | more


def echo(address: str, **more: object) -> dict[str, object]:
    text = f"/srv/x.py:9: SAWarning: {GC.format(address)}"
    return {"message": text, "logger": "py.warnings", "timestamp": None} | more


def leaked(logs: pd.DataFrame) -> list[str]:
    leaks = find_leaks(logs)
    return leaks.loc[leaks["kind"] == "leak", "connection"].tolist()


def test_an_event_has_what_its_record_says() -> None:
    row = find_leaks(make_logs(error("0x7f1"))).iloc[0]
    assert row["signature"] == "sqlalchemy.gc_dropped"
    assert row["kind"] == "leak"
    assert row["severity"] == "high"
    assert row["connection"] == "0x7f1"
    assert row["state"] == "INTRANS"
    assert (row["source"], row["line"]) == ("api.log", 1)
    assert str(row["timestamp"]) == "2025-11-24 10:00:01+00:00"


def test_the_frame_fulfils_its_contract() -> None:
    for logs in (make_logs(error("0x1")), LOGS.empty()):
        leaks = LEAKS.check(find_leaks(logs))
        assert [str(d) for d in leaks.dtypes] == [c.dtype for c in LEAKS.columns]


def test_an_error_and_its_echo_are_one_leak() -> None:
    assert leaked(make_logs(error("0x1"), echo("0x1"))) == ["0x1"]
    assert leaked(make_logs(echo("0x1"), error("0x1"))) == ["0x1"]


def test_the_drivers_own_warning_is_an_echo_too() -> None:
    text = "/srv/x.py:9: ResourceWarning: <psycopg.AsyncConnection object at {}> was "
    driver = {"message": text.format("0x1") + "deleted while still open."}
    records = [error("0x1"), echo("0x1"), echo("0x1") | driver]
    assert leaked(make_logs(*records)) == ["0x1"]
    assert leaked(make_logs(*records, *records)) == ["0x1", "0x1"]


def test_a_warning_alone_is_a_leak_too() -> None:
    assert leaked(make_logs(echo("0x1"))) == ["0x1"]


def test_five_leaks_are_five_though_addresses_come_back() -> None:
    records = [
        r for a in ("0x1", "0x2", "0x1", "0x1", "0x3") for r in (error(a), echo(a))
    ]
    assert Counter(leaked(make_logs(*records))) == {"0x1": 3, "0x2": 1, "0x3": 1}


@given(
    st.lists(
        st.tuples(st.sampled_from(["0x1", "0x2", "0x3"]), st.booleans(), st.booleans()),
        max_size=25,
    )
)
def test_leaks_are_counted_like_a_person_would(
    found: list[tuple[str, bool, bool]],
) -> None:
    """Each leak leaves an ERROR, a warning, or both; their order may be any."""
    found = [(a, e, w) for a, e, w in found if e or w]
    records = [error(a) for a, e, _ in found if e] + [echo(a) for a, _, w in found if w]
    if not records:
        return
    # Warnings without an ERROR cannot be told from echoes of another leak of the same
    # address: the count is the larger of the two.
    errors = Counter(a for a, e, _ in found if e)
    warned = Counter(a for a, _, w in found if w)
    assert Counter(leaked(make_logs(*records))) == errors | warned


def test_a_record_that_two_handlers_wrote_is_one_event() -> None:
    # The text handler cuts the time to the second, the other does not.
    records = [
        error("0x1", source="api.log", timestamp=AT.format(7, 0)),
        error("0x1", source="console.log", timestamp=AT.format(7, 731204)),
    ]
    assert leaked(make_logs(*records)) == ["0x1"]


def test_records_that_repeat_in_one_file_are_several_events() -> None:
    record = {"message": TIMEOUT, "logger": "a", "timestamp": AT.format(7, 0)}
    twice = [record, record, record | {"source": "b.log"}, record | {"source": "b.log"}]
    assert len(find_leaks(make_logs(*twice))) == 2


def test_the_message_is_looked_at_before_the_traceback() -> None:
    logs = make_logs({"message": TIMEOUT, "traceback": GC.format("0x1")})
    assert find_leaks(logs)["kind"].tolist() == ["exhaustion"]


def test_a_traceback_is_looked_at_too() -> None:
    logs = make_logs({"message": "unexpected_error", "traceback": f"E: {TIMEOUT}"})
    assert find_leaks(logs)["kind"].tolist() == ["exhaustion"]


def test_a_context_is_never_counted_as_a_leak() -> None:
    text = "GraphQL context deleted without __aexit__ being called - potential ..."
    leaks = find_leaks(make_logs({"message": text}))
    assert leaks["kind"].tolist() == ["unclosed_context"]
    assert count_leaks(leaks)["leak"].sum() == 0


def test_signatures_of_the_caller_take_the_place_of_the_catalogue() -> None:
    mine = Signature("mine.x", "leak", "low", "me", "1", ("lost it",), "m", "r")
    leaks = find_leaks(make_logs({"message": "we lost it"}, error("0x1")), [mine])
    assert leaks["signature"].tolist() == ["mine.x"]
    assert check_leaks(leaks)["remedy"].tolist() == [""]


def test_what_is_no_logs_frame_is_refused() -> None:
    with pytest.raises(ContractError, match="not a LOGS frame: missing timestamp"):
        find_leaks(pd.DataFrame({"a": [1]}))


TIMES = st.lists(st.integers(0, 5_000), min_size=1, max_size=60)
KINDS = st.sampled_from(["leak", "exhaustion", "misuse"])


def make_leaks(seconds: list[int], kinds: list[str]) -> pd.DataFrame:
    start = pd.Timestamp("2025-11-24T10:00:00Z")
    return LEAKS.build(
        {
            "timestamp": [start + pd.Timedelta(seconds=s) for s in seconds],
            "signature": "x",
            "kind": kinds,
            "severity": "high",
            "source": "a.log",
            "line": range(len(seconds)),
            "message": "m",
        }
    )


@pytest.mark.slow
@given(TIMES, st.sampled_from([1, 7, 60, 90, 3600]), st.data())
def test_counts_equal_a_loop(seconds: list[int], every: int, data) -> None:
    kinds = data.draw(
        st.lists(KINDS, min_size=len(seconds), max_size=len(seconds)), label="kinds"
    )
    leaks = make_leaks(seconds, kinds)
    table = count_leaks(leaks, every=f"{every}s")
    expected = Counter(
        (int(at.timestamp()) // every * every, kind)
        for at, kind in zip(leaks["timestamp"], kinds, strict=True)
    )
    got = {
        (int(at.timestamp()), kind): int(table.loc[at, kind])
        for at in table.index
        for kind in table.columns
        if table.loc[at, kind]
    }
    assert got == dict(expected)
    steps = table.index.to_series().diff().dropna()
    assert (steps == pd.Timedelta(seconds=every)).all()
    assert table.columns[0] == "leak"


def test_a_bin_without_any_record_is_missing_not_zero() -> None:
    logs = make_logs({"message": "up"}, error("0x1"), {"message": "down"})
    logs["timestamp"] = pd.to_datetime(
        ["2025-11-24T10:00Z", "2025-11-24T10:01Z", "2025-11-24T10:03Z"], utc=True
    ).as_unit("us")
    table = count_leaks(find_leaks(logs), logs=logs)
    assert table["leak"].fillna(-1).tolist() == [0, 1, -1, 0]


def test_events_without_a_time_are_counted_apart() -> None:
    leaks = find_leaks(make_logs(error("0x1"), echo("0x2")))
    table = count_leaks(leaks)
    assert table["leak"].sum() == 1
    assert table.attrs["undated"] == 1


def test_no_leaks_make_an_empty_table() -> None:
    table = count_leaks(LEAKS.empty())
    assert (len(table), list(table.columns)) == (0, ["leak"])


@pytest.mark.parametrize(
    ("every", "said"),
    [
        ("soon", "every='soon' is no length of time"),
        ("-1min", "longer than nothing"),
        ("1ME", "is no length of time"),
        ("1us", "bins; choose a longer one"),
    ],
)
def test_bins_that_cannot_be(every: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        count_leaks(make_leaks([0, 5000], ["leak", "leak"]), every=every)


def test_findings_say_how_many_since_when_and_where() -> None:
    leaks = find_leaks(make_logs(error("0x1"), error("0x2"), {"message": TIMEOUT}))
    findings = FINDINGS.check(check_leaks(leaks))
    assert findings["code"].tolist() == ["pool_exhausted", "connection_leak"]
    leak = findings.iloc[1]
    assert leak["summary"].startswith("2 connections leaked")
    assert "first at api.log:1" in leak["evidence"]
    assert "2025-11-24 10:00:01 to 2025-11-24 10:00:02 UTC" in leak["evidence"]
    assert "2 in state INTRANS" in leak["evidence"]
    again = check_leaks(find_leaks(make_logs(error("0x9"))))
    assert again.loc[0, "id"] == leak["id"]


def test_a_wording_that_is_only_near_is_said_to_be() -> None:
    text = "The garbage collector is trying to clean up the connection <x>, sorry"
    findings = check_leaks(find_leaks(make_logs({"message": text})))
    assert "wording near a known one" in findings.loc[0, "evidence"]


def test_a_leak_at_shutdown_is_marked_and_so_is_its_error() -> None:
    last = {"message": f"sys:1: SAWarning: {GC.format('0x1')}"}
    logs = make_logs(error("0x1"), error("0x1"), echo("0x1") | last, echo("0x2"))
    leaks = find_leaks(logs)
    assert leaks["shutdown"].tolist() == [False, True, False]
    evidence = check_leaks(leaks).loc[0, "evidence"]
    assert "1 of them when the interpreter shut down" in evidence


def test_the_version_is_read_off_the_link() -> None:
    link = "(Background on this error at: https://sqlalche.me/e/{}/3o7r)"
    logs = make_logs(
        {"message": f"{TIMEOUT} {link.format('14')}"},
        {"message": "failed", "traceback": f"{TIMEOUT} {link.format('21')}"},
        {"message": TIMEOUT},
    )
    leaks = find_leaks(logs)
    assert leaks["library_version"].fillna("").tolist() == ["1.4", "2.1", ""]
    assert "SQLAlchemy 1.4, 2.1" in check_leaks(leaks).loc[0, "evidence"]


NEARLY = "QueuePool limit of size 5 is reached, connection timed out waiting"


def test_what_is_worded_nearly_like_a_failure_is_near() -> None:
    leaks = find_leaks(make_logs({"message": NEARLY, "level": "ERROR"}))
    assert leaks["kind"].tolist() == ["near"]
    assert leaks["signature"].tolist() == ["sqlalchemy.queuepool_timeout"]
    findings = check_leaks(leaks)
    assert findings["code"].tolist() == ["near_known"]
    assert findings.loc[0, "evidence"].startswith("near sqlalchemy.queuepool_timeout")
    assert count_leaks(leaks)["leak"].sum() == 0


def test_a_users_text_is_near_nothing() -> None:
    assert find_leaks(make_logs({"message": NEARLY, "level": "INFO"})).empty
    of_library = {"message": NEARLY, "level": "INFO", "logger": POOL}
    assert len(find_leaks(make_logs(of_library))) == 1


def test_what_came_back_is_no_leak_and_said_so() -> None:
    thread = "org.postgresql.jdbc.PgConnection@5f on thread t-3"
    leaks = find_leaks(
        make_logs(
            {
                "message": f"Connection leak detection triggered for {thread}, "
                "stack trace follows"
            },
            {
                "message": f"Previously reported leaked connection {thread} was "
                "returned to the pool (unleaked)"
            },
        )
    )
    assert leaks["kind"].tolist() == ["leak", "resolution"]
    findings = check_leaks(leaks)
    assert findings["code"].tolist() == ["connection_leak"]
    assert findings.loc[0, "evidence"].endswith("1 came back later")


@pytest.mark.parametrize(("shift", "told"), [("5h", 1), ("30min", 1), ("7min", 0)])
def test_files_some_half_hours_apart_are_told(shift: str, told: int) -> None:
    first = make_logs(*(error(f"0x{n}") for n in range(1, 6)))
    second = first.assign(
        source="console.log", timestamp=first["timestamp"] + pd.Timedelta(shift)
    )
    leaks = find_leaks(pd.concat([first, second], ignore_index=True))
    findings = check_leaks(leaks)
    assert (findings["code"] == "zone_differs").sum() == told


PARTS = st.sampled_from(
    [TIMEOUT, "0x7fab12", "12345", "Exception in ASGI application", "lost 1", "x" * 9,
     "current transaction is aborted, commands ignored until end of transaction block",
     "{'completion_percentage': 51.69491525423729}", "QueuePool limit of size ",
     "{'completion_percentage': 51.7}", "Worker (pid:12345) was sent SIGSEGV!",
     "Worker (pid:1) was sent SIGUSR1!", "asyncpg/pool.py in _acquire",
     "process 4711 still waiting for ShareLock on x after 1000.1 ms"]
)  # fmt: skip
RAISED = st.sampled_from([None, "TimeoutError", "builtins.TimeoutError", "KeyError"])
RECORD = st.tuples(PARTS, PARTS, st.booleans(), RAISED)
OWN = (
    Signature("a.number", "leak", "low", "a", "1", ("12345",), "m", "r"),
    Signature("a.folded", "leak", "low", "a", "1", ("\x1a",), "m", "r"),
    Signature("a.end", "leak", "low", "a", "1", ("lost 1",), "m", "r", last=True),
)


@given(
    st.lists(RECORD, min_size=1, max_size=12),
    st.sampled_from([load_signatures(), OWN]),
)
def test_records_are_matched_as_if_one_by_one(
    parts: list[tuple[str, str, bool, str | None]], known: tuple[Signature, ...]
) -> None:
    """What makes it quick changes nothing: the definition is `Signature.fits`."""
    usual = [s for s in known if not s.last]
    records = [
        {
            "message": f"{a} 0x{n}",
            "traceback": f"E: {b}" if traced else None,
            "exception": raised,
        }
        for n, (a, b, traced, raised) in enumerate(parts)
    ]
    expected = []
    for record in records:
        message, trace = record["message"], record["traceback"] or ""
        raised = record["exception"]
        tries = [(usual, message), (usual, f"{message}\n{trace}")]
        tries.append(([s for s in known if s.last], f"{message}\n{trace}"))
        expected.append(
            next((s.id for of, t in tries for s in of if s.fits(t, raised)), None)
        )
    found = match_records(make_logs(*records), known)
    assert [known[i].id if i >= 0 else None for i in found] == expected


def test_copies_among_many_files_are_told_by_second_logger_and_message() -> None:
    def at(source: str, **more: object) -> dict[str, object]:
        stamp = AT.format(7, len(source))
        return error("0x1", source=source, timestamp=stamp) | more

    other = at("b", logger="another")
    without = at("b", logger=None)
    undated = at("c", timestamp=None)
    text = {"message": TIMEOUT}
    records = [at("a"), at("b"), other, at("c"), at("c"), without, without | text]
    records += [undated, undated, at("a") | text, at("dd") | text]
    leaks = find_leaks(make_logs(*records))
    kept = leaks[["source", "line"]].itertuples(index=False, name=None)
    # Of the two in c one is a copy; the records without a time are events each.
    assert list(kept) == [
        ("a", 1), ("b", 3), ("c", 5), ("b", 6), ("b", 7), ("c", 8), ("c", 9), ("a", 10)
    ]  # fmt: skip


def test_what_a_traceback_says_fills_what_the_message_leaves_open() -> None:
    link = "https://sqlalche.me/e/20/3o7r"
    traces = [f"E: {GC.format('0x9')} {link}", "E: [BAD] <Connection(Thread-4567)>"]
    message = GC.format("0x1").replace("[INTRANS] ", "")
    logs = make_logs(*({"message": message, "traceback": t} for t in traces))
    columns = ["connection", "state", "library_version"]
    assert find_leaks(logs)[columns].fillna("").values.tolist() == [
        ["0x1", "INTRANS", "2.0"],
        ["0x1", "BAD", ""],
    ]
    thread = {"message": "lost", "traceback": GC.format("x>> <Connection(Thread-4567")}
    assert find_leaks(make_logs(thread))["connection"].tolist() == ["Thread-4567"]


def test_a_kind_that_no_event_has_is_no_column() -> None:
    leaks = make_leaks([0, 1], ["leak", "misuse"])
    table = count_leaks(leaks[leaks["kind"] == "leak"])
    assert list(table.columns) == ["leak"]
