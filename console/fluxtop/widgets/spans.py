"""Drawing spans: the roles of :mod:`fluxtop.cells` in the colours of the theme.

The colours are taken from the theme's variables and not from component classes of the style
sheet: a dozen of those in each widget cost a tenth of the console's start.
"""

from collections.abc import Iterable
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from fluxtop.cells import Role, Span
from fluxtop.widgets.late_hide import LateHide

#: The roles that are bold beside their colour.
_BOLD: Final[frozenset[str]] = frozenset({"strong", "bad", "heading"})


class Painter:
    """Draws spans in the colours of the theme that a widget is shown in."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[str, Style] = {}
        self._combined: dict[tuple[Style, str], Style] = {}

    def forget(self) -> None:
        """The theme is another one."""
        self._styles.clear()
        self._combined.clear()

    def style(self, name: str) -> Style:
        """The style of a role, or of another variable of the theme."""
        style = self._styles.get(name)
        if style is None:
            color = self._widget.app.theme_variables[name]
            style = self._styles[name] = Style(color=color, bold=name in _BOLD or None)
        return style

    def behind(self, name: str) -> Style:
        """A variable of the theme as a background."""
        return Style(bgcolor=self._widget.app.theme_variables[name])

    def strip(self, spans: Iterable[Span], base: Style, role: Role | None = None) -> Strip:
        """The spans on ``base``; all in one role if ``role`` is given."""
        return Strip([Segment(text, self._on(base, role or own)) for text, own in spans if text])

    def _on(self, base: Style, role: Role) -> Style:
        if role == "plain":
            return base
        style = self._combined.get((base, role))
        if style is None:
            style = self._combined[base, role] = base + self.style(role)
        return style


class SpanScroll(LateHide, ScrollView):
    """A scrolled widget that draws spans line by line.

    In Textual a change of the scrolled height lays out the whole screen anew; here, where lines
    come and go all the time, it only moves the scrollbars.
    """

    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self) -> None:
        self.painter = Painter(self)
        super().__init__()

    def watch_virtual_size(self, size: Size) -> None:
        """Show the scrollbars as they are now."""
        self._scroll_update(size)

    def notify_style_update(self) -> None:
        """The style sheet or the theme is another one."""
        self.painter.forget()
        super().notify_style_update()
