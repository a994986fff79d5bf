"""Controls as data, and the widgets that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagkit.widgets.pages import spell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Control",
    "Nothing",
    "fit_options",
    "make_control",
    "said",
    "same",
    "same_times",
    "shown",
    "with_all",
]


class Nothing:
    """Stands in lists for None: a list whose value is None shows no option at all."""


@dataclass(frozen=True)
class Control:
    """What sets one setting, or the two ends of a range.

    Attributes
    ----------
    kind
        ``choice`` (one of the options), ``range`` (two of them, in order), ``number``,
        or ``check`` (yes or no).
    label
        What stands before it.
    names
        The settings that it sets.
    options
        Texts and the values that they stand for. A range that begins with the first
        option, or ends with the last, has no bound there: None.
    """

    kind: str
    label: str
    names: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()


def same(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return options that are called as they are.

    Parameters
    ----------
    values
        Their values.

    Returns
    -------
    tuple
        Texts and values.
    """
    return tuple((spell(value, 60), value) for value in values)


def with_all(values: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Return options, of which the first is all of them.

    Parameters
    ----------
    values
        Their values.

    Returns
    -------
    tuple
        Texts and values; None stands for all.
    """
    return (("all", None), *same(values))


def same_times(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return options for times; what all of them begin with is left out of the texts.

    Parameters
    ----------
    values
        As `write_moment` writes them.

    Returns
    -------
    tuple
        Texts and values.

    Examples
    --------
    >>> same_times(["2025-11-24T10:00:00.000Z", "2025-11-24T11:30:00.000Z"])[1]
    ('11:30:00', '2025-11-24T11:30:00.000Z')
    """
    days = {value[:10] for value in values}
    first = 11 if len(days) == 1 else 5
    # Milliseconds are written where the texts would be alike without.
    last = 19 if len({value[:19] for value in values}) == len(values) else 23
    return tuple((value[first:last].replace("T", " "), value) for value in values)


def shown(value: Any) -> Any:
    """Return what a list has for a setting.

    Parameters
    ----------
    value
        Of the setting.

    Returns
    -------
    object
        The same; `Nothing` for None.
    """
    return Nothing if value is None else value


def said(value: Any) -> Any:
    """Return the setting for what is chosen in a list.

    Parameters
    ----------
    value
        Of the list.

    Returns
    -------
    object
        The same; None for `Nothing`.
    """
    return None if value is Nothing else value


def fit_options(control: Control, values: list[Any]) -> tuple[tuple[str, Any], ...]:
    """Return the options, with a value that somebody set and that is none of them.

    Parameters
    ----------
    control
        A choice or a range.
    values
        What is set.

    Returns
    -------
    tuple
        Texts and values.
    """
    known = {value for _, value in control.options}
    more = [
        (spell(value, 60), value)
        for value in values
        if value is not None and value not in known
    ]
    if control.kind == "choice":
        return tuple((text, shown(value)) for text, value in (*control.options, *more))
    if not more:
        return control.options
    # Times are written so that they sort as texts, all but the last letter.
    return tuple(
        sorted((*control.options, *more), key=lambda option: option[1].rstrip("Z"))
    )


def make_control(widgets: Any, control: Control) -> Any:
    """Make the widget of a control.

    Parameters
    ----------
    widgets
        The module ipywidgets.
    control
        What it sets.

    Returns
    -------
    ipywidgets.Widget
        Without options: those come with the first view.
    """
    style = {"description_width": "initial"}
    if control.kind == "number":
        return widgets.BoundedFloatText(
            value=0.0,
            min=0.0,
            max=1e12,
            step=1.0,
            description=control.label,
            style=style,
        )
    if control.kind == "check":
        return widgets.Checkbox(
            description=control.label,
            indent=False,
            layout=widgets.Layout(width="auto"),
        )
    if control.kind == "choice":
        return widgets.Dropdown(
            options=fit_options(control, []), description=control.label, style=style
        )
    return widgets.SelectionRangeSlider(
        options=control.options,
        description=control.label,
        style=style,
        continuous_update=False,
        layout=widgets.Layout(width="min(640px, 100%)"),
    )
