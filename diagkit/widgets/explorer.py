"""What explorers have in common: controls, a picture and its records, side by side.

An explorer is its settings and a way to draw them. It says in data which controls set
which settings; the widgets are made from that when it is first shown, so that its
static form needs no ipywidgets.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from diagkit.charts.text import written_by
from diagkit.errors import DiagkitError, MissingExtraError
from diagkit.widgets.choices import Choices
from diagkit.widgets.controls import Nothing, fit_options, make_control, said, shown
from diagkit.widgets.outputs import Output, show_data
from diagkit.widgets.pages import (
    View,
    escape,
    fold,
    hide,
    spell,
    to_code,
    to_static,
    to_tables,
)
from diagkit.widgets.stage import Stage

if TYPE_CHECKING:
    from diagkit.charts.canvas import Canvas
    from diagkit.widgets.choices import Settings
    from diagkit.widgets.controls import Control
    from diagkit.widgets.pages import Bar, StaticView

NO_BAR: tuple[tuple[str, Any], ...] = (("all in view", Nothing),)
CLOSE = 'style="margin:0;line-height:1.4"'
HINT = (
    f"<p {CLOSE}>x.to_cell() puts this code into a new cell; x is the "
    "explorer, or _ right after it was shown.</p>"
)


class Explorer(Choices):
    """A view of frames that people move with controls.

    What is clicked on the picture, or chosen by its name, is the setting ``bar``: it
    is part of the code like every other, so that a finding made by clicking can be
    reviewed.

    Parameters
    ----------
    defaults
        The settings and what they are where nothing is said.
    settings
        Those that differ; ``made_by`` among them is none: lines of code that make what
        is explored, for `as_code`.

    Raises
    ------
    SettingError
        If there is no such setting, or one has no meaning.
    """

    # What the list is called in which a bar is chosen.
    of = "records of"

    def __init__(self, defaults: Settings, settings: Settings) -> None:
        super().__init__(defaults, settings)
        self._widgets: dict[tuple[str, ...], Any] = {}
        self._shown: dict[str, Any] = {}
        self._bars: tuple[Bar, ...] = ()
        self._stage: Any = None
        self._box: Any = None
        self._quiet = False
        self._drawn_on: Canvas | None = None
        self._last: View | None = None
        self._output = Output(self._write_page)

    @abstractmethod
    def controls(self) -> list[Control]:
        """Return the controls, in the order in which they stand."""

    @abstractmethod
    def view(self) -> View:
        """Draw what the settings ask for."""

    def static(self) -> StaticView:
        """Return the view as it is now, in a form that needs no kernel.

        Returns
        -------
        StaticView
            A picture with its text, the table of the records, and the code.
        """
        return to_static(self._draw_clean(), self._shown_code())

    @property
    def canvas(self) -> Canvas:
        """What the pictures are drawn on, made when the first is."""
        if self._drawn_on is None:
            from diagkit.charts.canvas import Canvas

            self._drawn_on = Canvas()
        return self._drawn_on

    def fit_within(self, other: Explorer, **settings: Any) -> None:
        """Become a part of another explorer: its views are drawn on that one's canvas.

        Parameters
        ----------
        other
            The one that shows it.
        settings
            Those that are not the usual ones.
        """
        self.settings = {**self._defaults, **settings}
        self._drawn_on, self._moved = other.canvas, other._moved

    def set(self, **settings: Any) -> None:
        """Set settings, as the controls do.

        Parameters
        ----------
        settings
            By their names.

        Raises
        ------
        SettingError
            If there is no such setting, or one has no meaning: then all stay as they
            were.
        """
        before = self.settings
        self.settings = {**before, **self._read(settings)}
        self._moved = self.picked not in settings
        try:
            self.verify()
        except DiagkitError:
            self.settings = before
            raise
        finally:
            self._moved = False
        self._move(self.picked not in settings)
        # A cell that sets something is perhaps the last that runs.
        self._output.write()

    def refresh(self) -> None:
        """Draw again; an error is shown in the view's place."""
        if self._box is None:
            return
        try:
            self._fit_quietly()
            view = self._draw_clean()
        except DiagkitError as error:
            self.tell(error)
            return
        self._put(view)
        self._output.follow()

    def tell(self, error: DiagkitError) -> None:
        """Show an error where the picture and its records stand.

        Parameters
        ----------
        error
            What went wrong.
        """
        if self._box is not None:
            self._put(View(b"", str(error), ()))
            self._output.follow()

    def _put(self, view: View) -> None:
        """Send a view to the page."""
        self._last = view
        # The picture first: it is what somebody waits for.
        self._stage.draw(view)
        said = escape(view.says, 500)
        # Without a picture it is an error.
        said = said if view.picture else f"<b>{said}</b>"
        self._shown["says"].value = f"<p {CLOSE}>{said}</p>"
        self._shown["records"].value = to_tables(view.tables)
        code = to_code(self._shown_code())
        self._shown["code"].value = f"<p {CLOSE}>{code}</p>{HINT}"
        self._stage.lay(view)
        self._fit_bars(view)

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
        self._output.finish()
        if self._box is not None:
            self._stage.close()
            for one in (*self._widgets.values(), *self._shown.values(), self._box):
                one.close()
        self._box = self._stage = None
        self._widgets, self._shown = {}, {}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = dict(self.widget._repr_mimebundle_(**kwargs))
        # For pages that have no kernel, and no widgets.
        return {**bundle, "text/html": self.static().html}

    def _ipython_display_(self) -> None:
        bundle = dict(self.widget._repr_mimebundle_())
        # What a page shows that does not trust the notebook, or has no widgets.
        show_data({**bundle, "text/plain": self._shown_code()})
        self._output.show()

    def _write_page(self) -> str:
        """Return the view that was drawn last, folded away below the widget."""
        view = self._draw_clean() if self._last is None else self._last
        return fold(to_static(view, self._shown_code()))

    def _draw_clean(self) -> View:
        """Draw a view whose picture, too, has no secrets in its labels."""
        with written_by(hide):
            return self.view()

    def _build(self) -> Any:
        widgets = _ipywidgets()
        for control in self.controls():
            made = make_control(widgets, control)
            made.observe(self._changed, names="value")
            self._widgets[control.names] = made
        self._stage = Stage(widgets, self._clicked)
        bars = widgets.Dropdown(
            options=NO_BAR,
            description=self.of,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="auto", max_width="100%"),
        )
        bars.observe(self._chose, names="value")
        whole = widgets.Layout(width="auto", max_width="100%", overflow="auto hidden")
        self._shown = {
            "says": widgets.HTML(),
            "bars": bars,
            "records": widgets.HTML(),
            "code": widgets.HTML(layout=whole),
        }
        left = widgets.VBox(
            # The list of bars before the bars: with the keyboard it is reached first.
            [self._shown["says"], bars, self._stage.box, self._shown["code"]],
            layout=widgets.Layout(flex="3 1 440px", min_width="0"),
        )
        right = widgets.VBox(
            [self._shown["records"]],
            layout=widgets.Layout(
                flex="3 1 400px", min_width="0", max_height="640px", overflow="auto"
            ),
        )
        flow = widgets.Layout(flex_flow="row wrap", grid_gap="2px 14px")
        return widgets.VBox(
            [
                widgets.Box(list(self._widgets.values()), layout=flow),
                widgets.Box([left, right], layout=flow),
            ]
        )

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
                self.settings[control.names[0]] = said(value)
        self._move(True)

    def _clicked(self, place: int) -> None:
        """Choose the bar that was clicked; clicked again, none is chosen."""
        bar = self._bars[place].value
        chosen = self.settings[self.picked]
        self.settings[self.picked] = None if chosen == bar else bar
        self._move(False)

    def _chose(self, change: Any) -> None:
        if not self._quiet:
            self.settings[self.picked] = said(change["new"])
            self._move(False)

    def _move(self, moved: bool) -> None:
        """Draw again; a bar that was moved out of view is not chosen any more."""
        self._moved = moved
        try:
            self.refresh()
        finally:
            self._moved = False

    def _fit_bars(self, view: View) -> None:
        self._bars = view.bars
        made = self._shown["bars"]
        known = [
            (spell(one.label, 60), one.value) for one in (*view.bars, *view.others)
        ]
        options = (*NO_BAR, *known)
        self._quiet = True
        try:
            if tuple(made.options) != options:
                made.options = options
            made.value = shown(self.settings[self.picked])
        finally:
            self._quiet = False

    def _fit_quietly(self) -> None:
        self._quiet = True
        try:
            self._fit_controls()
        finally:
            self._quiet = False

    def _fit_controls(self) -> None:
        """Give the controls the options that there are now, and the settings."""
        for control in self.controls():
            made = self._widgets[control.names]
            values = [self.settings[name] for name in control.names]
            if control.kind in ("number", "check"):
                made.value = values[0]
                continue
            options = fit_options(control, values)
            if tuple(made.options) != options:
                made.options = options
            known = [value for _, value in options]
            if control.kind == "choice":
                made.value = shown(values[0])
            else:
                low = known[0] if values[0] is None else values[0]
                high = known[-1] if values[1] is None else values[1]
                made.value = (low, high)


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
