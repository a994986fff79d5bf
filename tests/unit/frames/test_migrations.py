from __future__ import annotations

import pytest

import diagkit as dk
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    AddIndex,
    FillNulls,
    Migration,
    NullRule,
)
from diagkit.frames.schemas import (
    DatabaseSchema,
    Table,
    TableColumn,
    TableIndex,
    find_runs,
)


def test_the_case_studys_migration_is_data():
    assert [step.said for step in MIGRATION_008.steps] == [
        "add column execution_status",
        "add column execution_started_at",
        "add column execution_completed_at",
        "add column execution_error",
        "add column output_folder_path",
        "set execution_status to 'pending' where it is NULL",
        "add constraint chk_execution_status",
        "create index ix_llm_projects_execution_status",
        "create index ix_llm_projects_activation_code",
        "create index ix_llm_projects_execution_started",
    ]
    assert MIGRATION_008.tables == ("llm_project_config",)
    assert str(MIGRATION_008.date) == "2025-11-19"
    columns = MIGRATION_008.of(AddColumn, "llm_project_config")
    assert [c.default for c in columns] == ["'pending'", None, None, None, None]


COLUMN = AddColumn("t", "a", "text")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Migration("", (COLUMN,)), "has a name and at least one step"),
        (lambda: Migration("m", ()), "has a name and at least one step"),
        (lambda: Migration("m", (COLUMN, COLUMN)), "'add column a' of 't' is twice"),
        (lambda: AddCheck("t", "c", "a", ()), "allows no value"),
        (lambda: AddIndex("t", "i", ()), "has no column"),
        (lambda: NullRule("t", "a", "s", ()), "at least one state"),
        (lambda: NullRule("t", "a", "s", ("x",), "runs"), "given together"),
    ],
)
def test_what_means_nothing_is_refused(make, text):
    with pytest.raises(dk.SettingError, match=text):
        make()


def test_steps_of_one_kind():
    fill = FillNulls("t", "a", "1")
    other = AddColumn("u", "a", "text")
    made = Migration("m", (COLUMN, fill, other))
    assert made.tables == ("t", "u")
    assert made.of(AddColumn, "t") == [COLUMN]
    assert made.of(FillNulls, "t") == [fill]
    assert made.of(AddIndex, "t") == []


def test_names_are_found_whatever_their_case_where_that_is_clear():
    table = Table(
        "t",
        (TableColumn("Name", "text"), TableColumn("name", "int"), TableColumn("X", "")),
        (TableIndex("IX", ("x",)),),
    )
    assert table.column("name").type == "int"
    assert table.column("Name").type == "text"
    assert table.column("NAME") is None
    assert table.column("x").name == "X"
    assert table.index("ix").columns == ("x",)
    assert table.check("c") is None


def test_a_schema_says_what_it_is():
    schema = DatabaseSchema("db", "sqlite", "", ("a", "b"), {}, MIGRATION_008)
    assert repr(schema) == (
        "DatabaseSchema(0 of 2 tables, for 008_execution_tracking, from db)"
    )


def test_runs_are_found_where_all_of_them_is_there():
    (rule,) = MIGRATION_008.null_rules
    own = Table("llm_project_config", (TableColumn("project_id", "text"),))
    runs = Table(
        "agent_tasks",
        (TableColumn("project_id", "text"), TableColumn("created_at", "timestamp")),
    )
    tables = {own.name: own, runs.name: runs}
    assert find_runs(rule, tables) is runs
    assert find_runs(rule, {own.name: own}) is None
    assert find_runs(rule, {runs.name: runs}) is None
    less = Table("agent_tasks", runs.columns[:1])
    assert find_runs(rule, {**tables, less.name: less}) is None
