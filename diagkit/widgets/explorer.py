"""What explorers have in common: controls, a picture and its records, side by side.

An explorer is its settings and a way to draw them. It says in data which controls set
which settings; the widgets are made from that when it is first shown, so that its
static form needs no ipywidgets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from diagkit.errors import DiagkitError, MissingExtraError, SettingError, suggest
from diagkit.redaction.text import redact_frame, redact_text
from diagkit.widgets.barbuttons import SIZE, BarButtons
from diagkit.widgets.pages import escape, to_static, to_table

if TYPE_CHECKING:
    from diagkit.widgets.pages import StaticView, View

Settings = dict[str, Any]


@dataclass(frozen=True)
class Control:
    """What sets one setting, or the two ends of a range.

    Attributes
    ----------
    kind
        ``choice`` (one of the options), ``range`` (two of them, in order), or
        ``number``.
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


class Explorer(ABC):
    """A view of frames that people move with controls.

    Parameters
    ----------
    defaults
        The settings and what they are where nothing is said.
    settings
        Those that differ.

    Raises
    ------
    SettingError
        If there is no such setting.
    """

    caption = "records"
    # The setting that a click on a bar sets; empty: bars cannot be clicked.
    picks = ""

    def __init__(self, defaults: Settings, settings: Settings) -> None:
        self._defaults = defaults
        self._check(settings)
        self.settings: Settings = {**defaults, **settings}
        self._widgets: dict[tuple[str, ...], Any] = {}
        self._shown: dict[str, Any] = {}
        self._box: Any = None
        self._quiet = False
        self._bars = BarButtons(self._pick)

    @abstractmethod
    def controls(self) -> list[Control]:
        """Return the controls, in the order in which they stand."""

    @abstractmethod
    def view(self) -> View:
        """Draw what the settings ask for."""

    @abstractmethod
    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""

    def as_code(self) -> str:
        """Return the code of a cell that shows this view again.

        Returns
        -------
        str
            A call with the settings that are not the usual ones.
        """
        said = [
            f"{name}={value!r}"
            for name, value in self.settings.items()
            if value != self._defaults[name]
        ]
        return f"dk.{type(self).__name__}({', '.join((*self.arguments(), *said))})"

    def static(self) -> StaticView:
        """Return the view as it is now, in a form that needs no kernel.

        Returns
        -------
        StaticView
            A picture with its text, the table of the records, and the code.
        """
        return to_static(self._clean(), self.caption, self.as_code())

    def set(self, **settings: Any) -> None:
        """Set settings, as the controls do.

        Parameters
        ----------
        settings
            By their names.

        Raises
        ------
        SettingError
            If there is no such setting.
        """
        self._check(settings)
        self.settings.update(settings)
        self.refresh()

    def refresh(self) -> None:
        """Draw again; an error is shown in the view's place."""
        if self._box is None:
            return
        self._quiet = True
        try:
            self._fit_controls()
        finally:
            self._quiet = False
        try:
            view = self._clean()
        except DiagkitError as error:
            self.tell(error)
            return
        self._shown["picture"].value = view.picture
        self._shown["says"].value = f"<p>{escape(view.says, 500)}</p>"
        self._shown["records"].value = to_table(view, self.caption)
        self._shown["code"].value = self.as_code()
        if self.picks:
            self._bars.fit(view.bars)

    def tell(self, error: DiagkitError) -> None:
        """Show an error where the picture's text stands.

        Parameters
        ----------
        error
            What went wrong; what was drawn before stays.
        """
        if self._box is not None:
            self._shown["says"].value = f"<p><b>{escape(error, 500)}</b></p>"

    @property
    def widget(self) -> Any:
        """The controls, the picture and the records, as one ipywidgets box.

        Raises
        ------
        MissingExtraError
            If ipywidgets is not installed.
        """
        if self._box is None:
            self._box = self._build()
            self.refresh()
        return self._box

    def close(self) -> None:
        """Take the widgets away."""
        if self._box is not None:
            for one in (*self._widgets.values(), *self._shown.values(), self._box):
                one.close()
            self._bars.close()
        self._box = None
        self._widgets, self._shown = {}, {}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = dict(self.widget._repr_mimebundle_(**kwargs))
        # For pages that have no kernel, and no widgets.
        return {**bundle, "text/html": self.static().html}

    def _clean(self) -> View:
        """Return the view without secrets: what a notebook shows is saved with it."""
        view = self.view()
        records = redact_frame(view.records).frame
        return replace(view, says=redact_text(view.says).text, records=records)

    def _check(self, settings: Settings) -> None:
        for name in settings:
            if name not in self._defaults:
                near = suggest(name, self._defaults)
                msg = f"{type(self).__name__} has no setting {name!r}{near}"
                raise SettingError(msg)

    def _build(self) -> Any:
        widgets = _ipywidgets()
        for control in self.controls():
            made = _make(widgets, control)
            made.observe(self._changed, names="value")
            self._widgets[control.names] = made
        wide = widgets.Layout(width="100%")
        # Bars lie where buttons do: such a picture keeps its size.
        size = widgets.Layout(**SIZE) if self.picks else wide
        self._shown = {
            "says": widgets.HTML(),
            "picture": widgets.Image(format="png", layout=size),
            "records": widgets.HTML(),
            "code": widgets.Text(description="as code", disabled=True, layout=wide),
        }
        picture = [self._shown["picture"]]
        if self.picks:
            box = widgets.Layout(width=SIZE["width"], min_width=SIZE["width"])
            both = [*picture, self._bars.build(widgets)]
            # A page that is narrower scrolls it; nothing is cut off.
            outer = widgets.Layout(overflow="auto", max_width="100%")
            picture = [widgets.Box([widgets.VBox(both, layout=box)], layout=outer)]
        # A picture of a fixed size takes its room, another grows.
        flex = f"0 0 {SIZE['width']}" if self.picks else "3 1 480px"
        left = widgets.VBox(
            [self._shown["says"], *picture, self._shown["code"]],
            layout=widgets.Layout(flex=flex, min_width="0", max_width="100%"),
        )
        right = widgets.Box(
            [self._shown["records"]],
            layout=widgets.Layout(
                flex="2 1 320px", min_width="0", max_height="560px", overflow="auto"
            ),
        )
        flow = widgets.Layout(flex_flow="row wrap")
        return widgets.VBox(
            [
                widgets.Box(list(self._widgets.values()), layout=flow),
                widgets.Box([left, right], layout=flow),
            ]
        )

    def _pick(self, value: str) -> None:
        """Set what a bar stands for; a second click takes it back."""
        taken = self.settings[self.picks] == value
        self.set(**{self.picks: None if taken else value})

    def _changed(self, _: Any) -> None:
        if self._quiet:
            return
        for control in self.controls():
            value = self._widgets[control.names].value
            if control.kind == "range":
                low, high = control.options[0][1], control.options[-1][1]
                ends = (
                    None if value[0] == low else value[0],
                    None if value[1] == high else value[1],
                )
                self.settings.update(zip(control.names, ends, strict=True))
            else:
                self.settings[control.names[0]] = value
        self.refresh()

    def _fit_controls(self) -> None:
        """Give the controls the options that there are now, and the settings."""
        for control in self.controls():
            made = self._widgets[control.names]
            values = [self.settings[name] for name in control.names]
            if control.kind == "number":
                made.value = values[0]
                continue
            options = _with(control, values)
            if tuple(made.options) != options:
                made.options = options
            known = [value for _, value in options]
            if control.kind == "choice":
                made.value = values[0]
            else:
                low = known[0] if values[0] is None else values[0]
                high = known[-1] if values[1] is None else values[1]
                made.value = (low, high)


def _with(control: Control, values: list[Any]) -> tuple[tuple[str, Any], ...]:
    """Return the options, with a value that somebody set and that is none of them."""
    known = {value for _, value in control.options}
    more = [
        (str(value), value)
        for value in values
        if value is not None and value not in known
    ]
    if not more:
        return control.options
    if control.kind == "choice":
        return (*control.options, *more)
    # Times are written so that they sort as texts.
    return tuple(sorted((*control.options, *more), key=lambda option: option[1]))


def _make(widgets: Any, control: Control) -> Any:
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
    if control.kind == "choice":
        return widgets.Dropdown(
            options=control.options, description=control.label, style=style
        )
    return widgets.SelectionRangeSlider(
        options=control.options,
        description=control.label,
        style=style,
        continuous_update=False,
        layout=widgets.Layout(width="100%"),
    )


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError:
        msg = (
            'explorers need ipywidgets: pip install "diagkit[notebooks]"; .static() '
            "shows the same without it"
        )
        raise MissingExtraError(msg) from None
    return ipywidgets
