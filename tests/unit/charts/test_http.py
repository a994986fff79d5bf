from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from diagkit.charts.http import MOST_PANELS, STYLES, plot_statuses
from diagkit.charts.timeaxis import to_days
from diagkit.errors import ContractError
from diagkit.frames.http import CLASSES, STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

START = pd.Timestamp("2025-11-24T10:00Z")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def make(*rows) -> pd.DataFrame:
    """Rows of minute, observer, route, class and requests."""
    minutes, *columns = zip(*rows, strict=True)
    times = [START + pd.Timedelta(minutes=minute) for minute in minutes]
    return STATUSES.build(dict(zip(STATUSES.names, [times, *columns], strict=True)))


def bars(ax) -> list[tuple[str, list[tuple[float, float, float]]]]:
    """Per class: minute, foot and height of each bar."""
    first = float(to_days(pd.DatetimeIndex([START]))[0])
    return [
        (
            container.get_label(),
            [
                (round((b.get_x() - first) * 1440, 6), b.get_y(), b.get_height())
                for b in container
            ],
        )
        for container in ax.containers
    ]


def test_classes_stand_on_one_another() -> None:
    ax = plot_statuses(
        make(
            (0, "proxy", "/a", "2xx", 5),
            (0, "proxy", "/a", "5xx", 2),
            (3, "proxy", "/a", "no answer", 1),
        )
    )
    assert bars(ax) == [
        ("2xx", [(0, 0, 5), (3, 0, 0)]),
        ("5xx", [(0, 5, 2), (3, 0, 0)]),
        ("no answer", [(0, 7, 0), (3, 0, 1)]),
    ]
    # The gap of two minutes is a gap.
    assert ax.containers[0][0].get_width() * 1440 == pytest.approx(3)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "2xx",
        "5xx",
        "no answer",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (UTC)", "requests")


def test_a_panel_a_route_and_the_worst_first() -> None:
    ax = plot_statuses(
        make(
            (0, "client", "/a", "2xx", 50),
            (0, "client", "/login", "5xx", 2),
            (0, "backend", "/a", "5xx", 1),
        )
    )
    figure = ax.get_figure()
    assert [one.get_title(loc="left") for one in figure.axes] == [
        "client: /login",
        "backend: /a",
        "client: /a",
    ]
    assert figure.get_suptitle() == (
        "Requests that failed, by observer: backend: 1 of 1, client: 2 of 52"
    )
    assert [one.get_xlabel() for one in figure.axes] == ["", "", "time (UTC)"]


def test_routes_without_a_panel_are_counted() -> None:
    rows = [(0, "proxy", f"/{n}", "2xx", 1) for n in range(MOST_PANELS + 2)]
    figure = plot_statuses(make(*rows)).get_figure()
    assert len(figure.axes) == MOST_PANELS
    assert [t.get_text() for t in figure.axes[-1].texts] == ["and 2 more routes"]


def test_classes_are_told_apart_without_colour() -> None:
    assert list(STYLES) == list(CLASSES)
    assert len({style.hatch for style in list(STYLES.values())[1:]}) == len(CLASSES) - 1


def test_hostile_routes_are_text() -> None:
    ax = plot_statuses(make((0, "proxy", r"/$\frac{1}{0}$", "5xx", 1)))
    ax.get_figure().canvas.draw()
    assert r"\frac{1}{0}" in ax.get_title(loc="left")


def test_an_axes_of_ones_own_keeps_its_labels() -> None:
    _, ax = plt.subplots()
    ax.set_ylabel("calls")
    assert plot_statuses(make((0, "proxy", "/a", "2xx", 1)), ax=ax) is ax
    assert (ax.get_ylabel(), ax.get_title(loc="left")) == ("calls", "")


def test_nothing_and_no_counts() -> None:
    assert plot_statuses(STATUSES.empty()).containers == []
    with pytest.raises(ContractError):
        plot_statuses(pd.DataFrame({"requests": [1]}))
