from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from diagkit.errors import SettingError
from diagkit.sources.formats import NEVER_FIRST, load_registry, make_format
from diagkit.sources.headers import is_foldable
from diagkit.sources.prefixes import load_escapes, read_prefix
from diagkit.sources.records import iterate_records

if TYPE_CHECKING:
    from pathlib import Path

ESCAPES = load_escapes()["escapes"]
LEVELS = ("LOG", "ERROR", "FATAL", "DEBUG1", "STATEMENT")
# As PostgreSQL 18 wrote it, and what it was told to put before its lines.
WRITTEN = {
    "%m [%p] ": "2026-11-22 21:08:16.256 UTC [4664] ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ": (
        "2026-11-22 21:08:18 UTC [4671]: user=postgres,db=postgres,"
        'app=my "app", v2,client=[local] '
    ),
    "%p ": "1971 ",
    "": "",
    "user=%u,db=%d ": "user=[unknown],db=[unknown] ",
    "%L %p ": "[local] 2019 ",
    "[%-10u] [%10d] %-6p %m %-20a: ": (
        "[[unknown] ] [ [unknown]] 2013   2026-11-22 20:57:11.824 UTC "
        "[unknown]           : "
    ),
    "%p|%a|%u|%d|%r|%h|%b|%P|%t|%m|%n|%Q|%i|%e|%c|%l|%s|%v|%x|%q%%|": (
        "2006|[unknown]|[unknown]|[unknown]|[local]|[local]|not initialized||"
        "2026-11-22 20:57:10 UTC|2026-11-22 20:57:10.209 UTC|1795381030.209|0||00000|"
        "6b035726.7d6|1|2026-11-22 20:57:10 UTC||0|%|"
    ),
}
TIMES = {
    "%m [%p] ": "2026-11-22 21:08:16.256 UTC",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ": "2026-11-22 21:08:18 UTC",
    "[%-10u] [%10d] %-6p %m %-20a: ": "2026-11-22 20:57:11.824 UTC",
}


@pytest.mark.parametrize("prefix", WRITTEN)
@pytest.mark.parametrize("level", LEVELS)
def test_what_postgresql_wrote_is_read(prefix: str, level: str) -> None:
    how = make_format(read_prefix(prefix))
    message = f"a ERROR:  b {WRITTEN['%m [%p] ']}"
    line = f"{WRITTEN[prefix]}{level}:  {message}"
    match = how.pattern.fullmatch(line)
    assert match is not None
    assert (match["level"], match["message"]) == (level, message)
    # Of several times the one that PostgreSQL writes for the record, the finest.
    usual = "2026-11-22 20:57:10.209 UTC" if "%n" in prefix else None
    assert match.groupdict().get("timestamp") == TIMES.get(prefix, usual)
    assert how.may_begin(line[0])


PART = st.tuples(
    st.sampled_from(["", "(", "é=", "[", *[f"%{letter}" for letter in ESCAPES]]),
    # Nothing tells where a time ends that a word follows at once.
    st.sampled_from([" ", ",", "|", "] [", "@", "%%", " %-12u "]),
).map("".join)


@given(st.lists(PART, max_size=8), st.booleans())
def test_any_prefix_reads_what_it_writes(parts: list[str], sessions: bool) -> None:
    """What the manual says each escape writes is joined by hand here."""
    prefix = "".join([*parts[:4], *["%q"] * sessions, *parts[4:]])
    written = {f"%{letter}": row["example"] for letter, row in ESCAPES.items()}
    written |= {"%%": "%", "%-12u": "app         "}
    escape = re.compile("%-12u|%.")
    texts = [
        escape.sub(lambda found: written[found[0]], "".join(some))
        for some in (parts, parts[:4])
    ]
    # Without a session what tells of it is empty, and what follows begins the line.
    alone = re.compile("|".join(f"%{s}" for s in "audrhPiv")).sub(
        "", "".join(parts[:4] if sessions else parts)
    )
    if {texts[0][:1], alone[:1] if alone[:1] != "%" else "x"} & NEVER_FIRST:
        with pytest.raises(SettingError, match="some of its lines begin with"):
            read_prefix(prefix)
        return
    how = make_format(read_prefix(prefix))
    for text in texts if sessions else texts[:1]:
        match = how.pattern.fullmatch(f"{text}FATAL:  lost it")
        assert match is not None, how.pattern.pattern
        assert (match["level"], match["message"]) == ("FATAL", "lost it")


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("%m %y ", "'%y' is no escape of PostgreSQL's; % is followed by one of audr"),
        ("%m %", "'%' is no escape"),
        (" %m ", "its lines begin with ' '"),
        ("(%p) ", "its lines begin with '\\('"),
        ("%8p ", "its lines begin with ' '"),
        # A background process has no user and no database.
        ("%u ", "some of its lines begin with ' '"),
        ("%-8u|", "some of its lines begin with ' '"),
        ("%u%d|%p ", "some of its lines begin with '\\|'"),
    ],
)
def test_a_prefix_that_cannot_be_is_refused(prefix: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_prefix(prefix)


def test_a_user_gives_the_prefix_in_a_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[postgresql]\nlog_line_prefix = "%p %q[%u] "\n', encoding="utf-8")
    monkeypatch.setenv("DIAGKIT_FORMATS", str(path))
    lines = [
        "12 LOG:  up",
        '13 [app] ERROR:  relation "x" does not exist',
        "13 [app] STATEMENT:  SELECT *",
        "\t\tFROM x",
        "free text",
    ]
    first, second, third = iterate_records(lines)
    assert first.format == second.format == "postgresql '%p %q[%u] '"
    assert (first.level, second.level) == ("LOG", "ERROR")
    assert second.message.endswith("\nSTATEMENT:  SELECT *\n\t\tFROM x")
    assert (second.logger, second.lines) == ("postgresql", 3)
    assert third.format == "unknown"
    assert is_foldable(load_registry())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql = 5", r"own.toml: write \[postgresql\] log_line_prefix = "),
        ("[postgresql]\nlog_line_prefix = 5", r"own.toml: write \[postgresql\]"),
        ("[postgresql]\nline_prefix = ''", "own.toml: postgresql: 'line_prefix' is no"),
        ("[postgresql]\nlog_line_prefix = '%y'", "own.toml: log_line_prefix = '%y': "),
    ],
)
def test_a_bad_entry_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=said):
        load_registry([path])


def test_an_empty_table_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[postgresql]\n", encoding="utf-8")
    assert load_registry([path]).formats == load_registry().formats


@pytest.mark.parametrize("prefix", [*WRITTEN, "x%a%u%d%b%i%a%u ", "x%a %u %d %b %i "])
@pytest.mark.parametrize(
    "part", [" ", "a", "|", ",app=", "ERROR: ", "2026-11-22 20:57"]
)
def test_no_line_takes_long(prefix: str, part: str) -> None:
    how = make_format(read_prefix(prefix))
    start = time.process_time()
    how.pattern.fullmatch(WRITTEN.get(prefix, "") + part * 20_000)
    how.pattern.fullmatch(part * 20_000)
    assert time.process_time() - start < 1


def test_each_escape_is_explained_and_shown() -> None:
    for letter, row in ESCAPES.items():
        assert len(letter) == 1
        assert row["means"]
        how = make_format(read_prefix(f"x%{letter} "))
        assert how.pattern.fullmatch(f"x{row['example']} LOG:  up")
