from __future__ import annotations

import traceback

import pytest
from hypothesis import given, strategies as st

from diagkit.sources.tracebacks import describe_exception, last_exception

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
