"""Drawing spans: the roles of :mod:`fluxtop.cells` in the colours of the style sheet."""

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from fluxtop.cells import ROLES, Role, Span


class SpanWidget(Widget):
    """A widget that draws spans; the style sheet has a class ``role--NAME`` for each role."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--{role}" for role in ROLES}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._combined: dict[tuple[Style, Role], Style] = {}

    def notify_style_update(self) -> None:
        """The style sheet or the theme is another one."""
        self._combined.clear()
        super().notify_style_update()

    def _style_on(self, base: Style, role: Role) -> Style:
        """The style of a role on ``base``."""
        if role == "plain":
            return base
        style = self._combined.get((base, role))
        if style is None:
            style = base + self.get_component_rich_style(f"role--{role}", partial=True)
            self._combined[base, role] = style
        return style

    def strip(self, spans: Iterable[Span], base: Style, role: Role | None = None) -> Strip:
        """The spans on ``base``; all in one role if ``role`` is given."""
        return Strip(
            [Segment(text, self._style_on(base, role or own)) for text, own in spans if text]
        )


class SpanScroll(SpanWidget, ScrollView):
    """A scrolled widget that draws spans line by line.

    In Textual a change of the scrolled height lays out the whole screen anew; here, where lines
    come and go all the time, it only moves the scrollbars.
    """

    virtual_size = Reactive(Size(0, 0), layout=False)

    def watch_virtual_size(self, size: Size) -> None:
        """Show the scrollbars as they are now."""
        self._scroll_update(size)
