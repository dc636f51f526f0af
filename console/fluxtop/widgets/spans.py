"""Drawing spans: the roles of :mod:`fluxtop.cells` in the colours of the style sheet."""

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from fluxtop.cells import ROLES, Role, Span

#: The component classes of a widget that has a :class:`Painter`: one for each role.
ROLE_CLASSES: Final = frozenset(f"role--{role}" for role in ROLES)


class Painter:
    """Draws spans in the colours that the style sheet gives a widget's roles."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[Style, Role], Style] = {}

    def forget(self) -> None:
        """The style sheet or the theme is another one."""
        self._styles.clear()

    def strip(self, spans: Iterable[Span], base: Style, role: Role | None = None) -> Strip:
        """The spans on ``base``; all in one role if ``role`` is given."""
        return Strip([Segment(text, self._style(base, role or own)) for text, own in spans if text])

    def _style(self, base: Style, role: Role) -> Style:
        if role == "plain":
            return base
        style = self._styles.get((base, role))
        if style is None:
            own = self._widget.get_component_rich_style(f"role--{role}", partial=True)
            style = self._styles[base, role] = base + own
        return style


class SpanScroll(ScrollView):
    """A scrolled widget that draws spans line by line.

    In Textual a change of the scrolled height lays out the whole screen anew; here, where lines
    come and go all the time, it only moves the scrollbars.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)

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
