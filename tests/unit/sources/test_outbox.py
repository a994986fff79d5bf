"""What waits to be written: with a thread, without, and while the disk stands still."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from diagkit.sources import outbox as module
from diagkit.sources.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.sources.entries import Entry


class Delivered(list["Entry"]):
    """Entries in the order of their delivery, and a sign at each."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = threading.Event()
        self.threads: set[str] = set()

    def deliver(self, entries: Iterator[Entry]) -> None:
        self.extend(entries)
        self.threads.add(threading.current_thread().name)
        self.sign.set()


def test_a_thread_comes_by() -> None:
    done = Delivered()
    outbox = Outbox(done.deliver)
    for number in range(1000):
        outbox.put((number,))
    assert done.sign.wait(10)
    outbox.close()
    assert done == [(number,) for number in range(1000)]
    assert "diagkit.recorder" in done.threads
    outbox.put((1000,))
    assert done[-1] == (1000,)
    assert done.threads == {"diagkit.recorder", threading.current_thread().name}


def test_nothing_is_lost_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    done = Delivered()
    outbox = Outbox(done.deliver)

    def work(name: str) -> None:
        for number in range(5000):
            outbox.put((name, number))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.close()
    assert outbox.lost == 0
    for name in "abc":
        assert [n for who, n in done if who == name] == list(range(5000))


def test_a_thread_without_work_ends_and_another_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "_IDLE_S", 0.01)
    done = Delivered()
    outbox = Outbox(done.deliver)
    for number in range(3):
        outbox.put((number,))
        thread = outbox._thread
        if thread is not None:
            thread.join(10)
            assert not thread.is_alive()
    outbox.close()
    assert done == [(0,), (1,), (2,)]


def test_where_no_thread_can_start_the_entry_is_delivered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = Delivered()
    outbox = Outbox(done.deliver)
    outbox.put((1,))
    assert done == [(1,)]
    outbox.close()


def test_a_thread_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As in a server that was built without threads: they start, and never run.
    monkeypatch.setattr(module, "PAUSE_S", 3600.0)
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    done = Delivered()
    outbox = Outbox(done.deliver)
    outbox.put((1,))
    now[0] = 0.5
    outbox.put((2,))
    assert done == []
    now[0] = 1.0
    outbox.put((3,))
    assert done == [(1,), (2,), (3,)]
    outbox.close()


def test_a_disk_that_stands_still_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "MOST", 10)
    monkeypatch.setattr(module, "_LATE_S", 0.0)
    begun, go_on = threading.Event(), threading.Event()
    done: list[Entry] = []

    def deliver(entries: Iterator[Entry]) -> None:
        for entry in entries:
            begun.set()
            go_on.wait(10)
            done.append(entry)

    outbox = Outbox(deliver)
    outbox.put((0,))
    assert begun.wait(10)
    for number in range(1, 31):
        outbox.put((number,))
    assert outbox.lost == 20
    go_on.set()
    outbox.flush()
    assert done == [(0,), *((number,) for number in range(21, 31))]
    outbox.close()


@pytest.mark.parametrize("times", [1, 2])
def test_stopping_delivers_and_may_be_repeated(times: int) -> None:
    done = Delivered()
    outbox = Outbox(done.deliver)
    outbox.put((1,))
    for _ in range(times):
        outbox.stop()
        assert outbox._thread is None
    assert done == [(1,)]
    outbox.put((2,))
    outbox.close()
    assert done == [(1,), (2,)]
