"""A plugin of pytest: ``--fail-on-leaked-connections``.

A test that leaves a connection to the garbage collector, or out of its pool after its
fixtures were torn down, fails, and the message names the line that had asked for it.

Loaded by pytest wherever diagkit is installed; SQLAlchemy is imported only when the
option is given.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from diagkit.sources.borrowed import Borrowed, Borrowings

OPTION = "--fail-on-leaked-connections"
_NAME = "diagkit-leaked-connections"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, and ``fail_on_leaked_connections`` for the ini file."""
    text = "fail the test that did not return a connection to SQLAlchemy's pool"
    parser.getgroup("diagkit").addoption(OPTION, action="store_true", help=text)
    parser.addini("fail_on_leaked_connections", text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the pools, when that is asked for."""
    wanted = config.getoption(OPTION) or config.getini("fail_on_leaked_connections")
    if wanted:
        config.pluginmanager.register(_LeakedConnections(), _NAME)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Listen no more."""
    plugin = config.pluginmanager.unregister(name=_NAME)
    if plugin is not None:
        plugin.borrowings.end()


class _LeakedConnections:
    """Puts checkouts down to tests, and judges what is left of them."""

    def __init__(self) -> None:
        from diagkit.sources.borrowed import Borrowings

        self.borrowings: Borrowings = Borrowings()
        self.borrowings.begin()
        self._late: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Name the test that runs."""
        self.borrowings.owner = item.nodeid
        try:
            return (yield)
        finally:
            self.borrowings.owner = None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, Any, Any]:
        """Put down to no test what a fixture of several tests takes."""
        test = self.borrowings.owner
        if fixturedef.scope != "function":
            self.borrowings.owner = None
        try:
            return (yield)
        finally:
            self.borrowings.owner = test

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fail a test that lost a connection."""
        try:
            result = yield
        except BaseException:
            # The traceback keeps its frames, and they what they had taken.
            self.borrowings.forget(item.nodeid)
            raise
        self._judge(item, held=False)
        return result

    # After the fixtures' own finalizers, which give connections back.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fail a test that holds a connection after its end."""
        result = yield
        self._judge(item, held=True)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell what came to light when its test was over."""
        if self._late:
            terminalreporter.section("leaked connections")
            for line in self._late:
                terminalreporter.line(line)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Collect what is left, such as what fixtures of several tests lost."""
        gc.collect()
        for one in self.borrowings.take_lost():
            self._late.append(f"{_said(one)} (found at the end of the run)")
        if self._late and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge(self, item: pytest.Item, held: bool) -> None:
        borrowings = self.borrowings
        own = [one for one in borrowings.out() if one.owner == item.nodeid]
        if own:
            # What nobody has any more is lost; what a cycle has, soon.
            gc.collect()
        lines = []
        for one in borrowings.take_lost():
            if one.owner == item.nodeid:
                lines.append(_said(one))
            else:
                self._late.append(f"{_said(one)} (found during {item.nodeid})")
        if held:
            for one in borrowings.out():
                if one.owner == item.nodeid:
                    one.owner = None
                    lines.append(_said(one))
        if lines:
            pytest.fail("\n".join(lines), pytrace=False)


def _said(one: Borrowed) -> str:
    what = "left to the garbage collector" if one.lost else "still out after the test"
    return f"leaked connection: taken at {one.holder}, {what}"
