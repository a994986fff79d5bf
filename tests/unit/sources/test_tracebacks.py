from __future__ import annotations

import traceback

import pytest
from hypothesis import given, strategies as st

from diagkit.sources.tracebacks import (
    describe_exception,
    last_exception,
    split_traceback,
)

KINDS = [KeyError, ValueError, OSError, RuntimeError, TypeError]
ERRORS = st.sampled_from(KINDS)
GROUP = ExceptionGroup("several", [KeyError(1), ValueError("x")])
MESSAGES = st.text(max_size=30)


def raised(errors: list[tuple[type[Exception], str]]) -> BaseException:
    """Raise the first, and each further one while handling the one before."""
    try:
        try:
            if errors[1:]:
                raise raised(errors[:-1])
        except tuple(KINDS):
            raise errors[-1][0](errors[-1][1])  # noqa: B904
        raise errors[-1][0](errors[-1][1])
    except tuple(KINDS) as error:
        return error


@given(st.lists(st.tuples(ERRORS, MESSAGES), min_size=1, max_size=4))
def test_the_last_of_a_real_chain(errors: list[tuple[type[Exception], str]]) -> None:
    # A message may hold anything, a line that looks like an exception too: what is
    # asserted is asserted for messages of one line.
    one_line = [(kind, " ".join(text.split())) for kind, text in errors]
    text = "".join(traceback.format_exception(raised(one_line)))
    assert last_exception(text) == one_line[-1][0].__name__


def test_a_group_is_named_not_what_is_in_it() -> None:
    try:
        raise GROUP
    except ExceptionGroup as error:
        text = "".join(traceback.format_exception(error))
    assert last_exception(text) == "ExceptionGroup"


def test_what_is_raised_after_a_group_wins() -> None:
    try:
        try:
            raise GROUP
        except ExceptionGroup:
            raise OSError(2, "gone")  # noqa: B904
    except OSError as error:
        text = "".join(traceback.format_exception(error))
    assert last_exception(text) == "FileNotFoundError"


@pytest.mark.parametrize(
    "text", ["", "KeyError: 1", "Traceback (most recent call last):"]
)
def test_without_a_traceback_there_is_none(text: str) -> None:
    assert last_exception(text) is None


@pytest.mark.parametrize("value", [None, "", 5, [], ["x"], True])
def test_what_is_no_exception(value: object) -> None:
    assert describe_exception(value) is None


def test_several_structured_exceptions_come_oldest_first() -> None:
    text = describe_exception([{"exc_type": "B"}, {"exc_type": "A", "exc_value": "x"}])
    assert text is not None
    assert text.index("A: x") < text.index("\nB")
    assert last_exception(text) == "B"


JAVA = (
    "org.springframework.dao.DataAccessException: lost\nin two lines\n"
    "\tat java.base/c.e.App.run(App.java:5)\n"
    "\tSuppressed: java.lang.Error: x\n\t\tat c.e.App.close(App.java:6)\n"
    "Caused by: java.sql.SQLException: gone\n\tat c.e.Db.get(Db.java:7)\n\t... 12 more"
)


def test_of_java_the_last_that_was_raised() -> None:
    assert last_exception(JAVA) == "org.springframework.dao.DataAccessException"
    second = "java.lang.Error\n\tat c.e.App.run(App.java:5)"
    assert last_exception(f"{JAVA}\n{second}") == "java.lang.Error"
    assert (
        last_exception('Exception in thread "main" a.B: x\n\tat a.C.d(C.java:1)')
        == "a.B"
    )


def test_a_java_trace_is_cut_off_a_message() -> None:
    assert split_traceback(f"failed\n{JAVA}") == ("failed", JAVA)
    assert split_traceback(JAVA) == ("", JAVA)
    frames = "\tat c.e.App.run(App.java:5)"
    assert split_traceback(f"failed\n{frames}") == ("failed", frames)
    assert last_exception(frames) is None


@pytest.mark.parametrize("text", ["met at noon", "a\n\tat home (5)", "x at a.b(c)"])
def test_what_is_no_java_trace(text: str) -> None:
    assert split_traceback(text) == (text, None)


def test_a_python_trace_that_tells_of_java_is_pythons() -> None:
    text = f'Traceback (most recent call last):\n  File "x"\npy4j.Error: {JAVA}'
    assert last_exception(text) == "py4j.Error"
