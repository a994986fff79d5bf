from __future__ import annotations

import datetime as dt
from dataclasses import fields

import pytest

import diagkit as dk
from diagkit.frames.migrations import MIGRATION_008, STEPS, Migration, NullRule
from diagkit.sources.migrations import KINDS, read_migration


def to_toml(migration):
    """Write a migration as a file that describes it."""
    kinds = {made: word for word, made in STEPS.items()}
    lines = [f'name = "{migration.name}"', f"date = {migration.date}"]
    tables = [("steps", s, [f'kind = "{kinds[type(s)]}"']) for s in migration.steps]
    tables += [("null_rules", rule, []) for rule in migration.null_rules]
    for table, thing, more in tables:
        lines += ["", f"[[{table}]]", *more]
        for entry in fields(thing):
            value = getattr(thing, entry.name)
            if isinstance(value, tuple):
                value = list(value)
            if value is not None:
                said = str(value).lower() if isinstance(value, bool) else repr(value)
                said = f'"{value}"' if isinstance(value, str) else said
                lines.append(f"{entry.name} = {said}")
    return "\n".join(lines) + "\n"


def test_the_case_studys_migration_as_a_file(tmp_path):
    path = tmp_path / "008.toml"
    path.write_bytes(b"\xef\xbb\xbf" + to_toml(MIGRATION_008).encode())
    assert read_migration(path) == MIGRATION_008
    assert read_migration(str(path)).date == dt.date(2025, 11, 19)


def test_every_field_has_a_kind():
    for made in (*STEPS.values(), NullRule, Migration):
        for entry in fields(made):
            if entry.name not in ("steps", "null_rules"):
                assert str(entry.type) in KINDS


HEAD = 'name = "m"\n'
STEP = '[[steps]]\nkind = "add_column"\ntable = "t"\ncolumn = "c"\ntype = "text"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "m.toml: has no entry 'name'"),
        (HEAD, "m.toml: a Migration has a name and at least one step"),
        ("name = 1\n" + STEP, "m.toml: name = 1 must be a text"),
        (
            HEAD + "nmae = 'x'\n" + STEP,
            "no entry 'nmae' is known; did you mean 'name'?",
        ),
        (HEAD + "steps = 1", "steps is written as tables [[steps]]; 1 came"),
        (HEAD + "steps = [1]", "steps is written as tables [[steps]]"),
        (HEAD + STEP + "colum = 'x'\n", "step 1: no entry 'colum' is known; did you"),
        (HEAD + STEP.replace("add_column", "ad_column"), "did you mean 'add_column'"),
        (HEAD + STEP.replace('kind = "add_column"', ""), "step 1: kind = None is none"),
        (HEAD + STEP.replace('type = "text"', ""), "step 1: has no entry 'type'"),
        (HEAD + STEP + "nullable = 'no'\n", "nullable = 'no' must be true or false"),
        (HEAD + STEP + STEP, "m.toml: migration 'm': 'add column c' of 't' is twice"),
        (
            HEAD + STEP.replace("add_column", "add_index"),
            "step 1: no entry 'column' is known; did you mean 'columns'",
        ),
        (
            HEAD + "[[steps]]\nkind = 'add_index'\ntable = 't'\nname = 'i'\n"
            "columns = ['a', 1]",
            "columns = ['a', 1] must be a list of texts",
        ),
        (
            HEAD + "[[steps]]\nkind = 'add_check'\ntable = 't'\nname = 'i'\n"
            "column = 'a'\nvalues = []",
            "m.toml: AddCheck 'i' allows no value",
        ),
        (
            HEAD + STEP + "[[null_rules]]\ntable = 't'\ncolumn = 'c'\nstate = 's'\n"
            "legal = ['x']\ngap_min = true",
            "null rule 1: gap_min = True must be a whole number",
        ),
        ("name = ", "m.toml: is no TOML"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path, text, said):
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(dk.SettingError) as caught:
        read_migration(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("m.toml") == 1


def test_files_that_are_none(tmp_path):
    with pytest.raises(dk.SourceNotFoundError, match="no such file"):
        read_migration(tmp_path / "no.toml")
    with pytest.raises(dk.SourceNotFoundError, match="no such file"):
        read_migration(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(dk.SettingError, match="is no TOML"):
        read_migration(tmp_path / "x.toml")
