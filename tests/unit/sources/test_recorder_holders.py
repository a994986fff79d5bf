"""Who asked: the application's own frames, and how connections are called."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from diagkit.sources import holders as module
from diagkit.sources.backends import backend_of
from diagkit.sources.holders import Holders

if TYPE_CHECKING:
    from pathlib import Path


def asked(holders: Holders) -> str | None:
    place = holders.find(sys._getframe())
    return None if place is None else holders.text(place)


def compiled(path: Path, name: str, **more: object) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("def work(call, *args):\n    return call(*args)\n")
    space: dict[str, Any] = {"__name__": name, **more}
    exec(compile(path.read_text(), str(path), "exec"), space)
    return space["work"]


def test_the_nearest_own_frame_is_the_holder(tmp_path: Path) -> None:
    library = compiled(tmp_path / "site-packages" / "lib" / "x.py", "lib.x")
    own = compiled(tmp_path / "app" / "loaders.py", "app.loaders")
    holders = Holders()

    def find() -> Any:
        return holders.find(sys._getframe(1))

    # This test is the application's own too: frames are looked at from the library.
    place = own(library, find)
    assert place is not None
    assert holders.text(place) == "app/loaders.py:2 work"
    told = [own(library, lambda: holders.asked(sys._getframe(1))) for _ in range(2)]
    assert told == ['"app/loaders.py:2 work"'] * 2


def test_nobody_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Holders().asked(None) == "null"
    monkeypatch.setattr(module, "_kind_of_file", lambda _: module.LIBRARY)

    def look() -> None:
        frame, holders = sys._getframe(), Holders()
        assert holders.asked(frame).endswith('look"')
        assert holders.find(frame) == (frame.f_code, frame.f_lineno)

    # In a thread no module that was started stands at the bottom of the stack.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()


def test_an_installed_application_can_be_named(tmp_path: Path) -> None:
    installed = compiled(tmp_path / "site-packages" / "shop" / "x.py", "shop.x")
    find = "lambda: __import__('sys')._getframe(1)"
    frame = installed(eval(find))
    texts = {
        own: Holders(own).text(place)
        for own in [(), ("shop",)]
        if (place := Holders(own).find(frame)) is not None
    }
    assert texts[("shop",)] == "shop/x.py:2 work"
    assert "test_recorder_holders" in texts[()]


def test_a_library_is_named_where_nothing_is_the_applications() -> None:
    frame = sys._getframe()
    while frame.f_back is not None and "site-packages" not in frame.f_code.co_filename:
        frame = frame.f_back
    holders = Holders()
    above = [f for f in iter_back(frame) if holders._kind(f) == module.OWN]
    place = holders.find(frame)
    assert place is not None
    if not above:
        assert "site-packages" in place[0].co_filename


def iter_back(frame: Any) -> Any:
    while frame is not None:
        yield frame
        frame = frame.f_back


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("__main__", module.OWN),
        ("sqlalchemy.util", module.SKIPPED),
        ("no.such.module", module.SKIPPED),
        ("json", module.SKIPPED),
        ("pytest", module.LIBRARY),
        (__name__, module.OWN),
    ],
)
def test_code_of_strings_belongs_to_its_module(
    name: str, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "__main__":
        monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    elif name == __name__:
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=__file__))
    code = "frame = __import__('sys')._getframe()"
    space: dict[str, Any] = {"__name__": name}
    exec(compile(code, "<string>", "exec"), space)
    assert Holders()._kind(space["frame"]) == kind
    assert module._short("<string>") == "<string>"


def test_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TEXTS", 3)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    holders = Holders()
    for number in range(10):
        space: dict[str, Any] = {"__name__": "__main__"}
        exec("\n" * number + "frame = __import__('sys')._getframe()", space)
        assert holders.asked(space["frame"]) == f'"<string>:{number + 1} <module>"'
        assert len(holders._asked) <= 3


def test_paths_of_the_machine_are_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "app" / "deep" / "x.py")
    assert module._short(file) == "deep/x.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    assert module._short(file) == "app/deep/x.py"
    assert module._short(file.replace("/", "\\")) == "app/deep/x.py"


def test_a_deep_stack_is_walked_so_far() -> None:
    holders = Holders()

    def dive(depth: int) -> list[Any]:
        return dive(depth - 1) if depth else holders.stack(sys._getframe(), most=7)

    assert len(dive(30)) == 7


class Refusing:
    @property
    def pgconn(self) -> object:
        msg = "the connection is closed"
        raise RuntimeError(msg)

    def get_server_pid(self) -> int:
        return 99


@pytest.mark.parametrize(
    ("connection", "number"),
    [
        (SimpleNamespace(pgconn=SimpleNamespace(backend_pid=11)), "11"),
        (SimpleNamespace(info=SimpleNamespace(backend_pid=12)), "12"),
        (Refusing(), "99"),
    ],
)
def test_drivers_tell_the_number_of_the_server(connection: object, number: str) -> None:
    wrapped = SimpleNamespace(driver_connection=connection)
    assert backend_of(wrapped) == (number, f"0x{id(connection):x}")


def test_without_a_number_the_address_stands() -> None:
    thing = object()
    assert backend_of(thing) == (f"0x{id(thing):x}",) * 2
