from __future__ import annotations

import re
import traceback

import pytest
from hypothesis import given, strategies as st

from diagkit.sources.tracebacks import (
    describe_exception,
    last_exception,
    leave_out_values,
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


# As loguru 0.7 wrote them; the values of variables stand behind └, one of them on
# several lines.
LOGURU = """\
Traceback (most recent call last):

> File "/srv/lg.py", line 7, in <module>
    try: inner(M(), "")
         │     └ <class '__main__.M'>
         └ <function inner at 0x7fe6c22804a0>

  File "/srv/lg.py", line 6, in inner
    def inner(m, password): return m + password
        │     │  │                 │   └ 'hunter2'
        │     │  │                 └ secret1
        │     │  │                   secret2
        │     │  │                   ~
        │     │  │                   secret3
        └ secret1
          secret2
          ~
          secret3

TypeError: unsupported operand:
    two lines

The above exception was the direct cause of the following exception:

Traceback (most recent call last):

  File "/srv/lg.py", line 9, in outer
    f()
    └ <function f at 0x7f1e7b4b19e0>

ValueError: bad
""".replace("~", "")
LOGURU_GROUP = """\
  + Exception Group Traceback (most recent call last):
  |
  | > File "/srv/lg.py", line 13, in <module>
  |     try: g("hunter2")
  |          └ <function g at 0x7fc6b9351620>
  |
  |   File "/srv/lg.py", line 10, in g
  |     raise ExceptionGroup("two", [ValueError("a"), TypeError(p)])
  |                                                            └ 'hunter2'
  |
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +---------------- 2 ----------------
    | TypeError: b
    +------------------------------------
"""


def test_values_that_loguru_shows_are_left_out() -> None:
    text = leave_out_values(LOGURU)
    assert (
        text
        == """\
Traceback (most recent call last):

> File "/srv/lg.py", line 7, in <module>
    try: inner(M(), "")
  File "/srv/lg.py", line 6, in inner
    def inner(m, password): return m + password
TypeError: unsupported operand:
    two lines

The above exception was the direct cause of the following exception:

Traceback (most recent call last):

  File "/srv/lg.py", line 9, in outer
    f()
ValueError: bad
"""
    )
    assert last_exception(text) == "ValueError"


def test_values_within_a_group_are_left_out() -> None:
    text = leave_out_values(LOGURU_GROUP)
    assert text.count("hunter2") == 1  # in the source
    assert "└" not in text
    assert last_exception(text) == "ExceptionGroup"
    assert text.endswith(LOGURU_GROUP[LOGURU_GROUP.index("  | ExceptionGroup") :])


@given(errors=st.lists(st.tuples(ERRORS, MESSAGES), min_size=1, max_size=3))
def test_of_pythons_own_tracebacks_the_places_stay(
    errors: list[tuple[type[Exception], str]],
) -> None:
    error = raised(errors)
    text = "".join(traceback.format_exception(error))
    left = leave_out_values(text)
    places = re.compile(r'File "[^"]+", line \d+, in .*')
    assert places.findall(left) == places.findall(text)
    assert last_exception(left) == last_exception(text)


def test_an_exception_that_says_nothing_is_none() -> None:
    nothing = {"type": None, "value": None, "traceback": False}
    assert describe_exception(nothing) is None
    assert describe_exception([nothing, {"type": "KeyError"}]) is not None
