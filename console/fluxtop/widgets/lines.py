"""Lines of text to read: scrolled, never edited, however many."""

from collections.abc import Callable, Sequence
from textwrap import wrap

from textual import events
from textual.geometry import Size
from textual.strip import Strip

from fluxtop.bindings import bindings
from fluxtop.cells import Role, Span, clean
from fluxtop.widgets.spans import SpanScroll

#: The spans of a line, left to right.
Line = Sequence[Span]


class Lines(SpanScroll, can_focus=True):
    """Lines of spans, drawn as they come into sight.

    It holds none: it is told how many there are and asks for each that it draws. ``tail`` keeps
    the last line in sight as lines are added.
    """

    BINDINGS = bindings("lines")

    def __init__(self, *, tail: bool = False) -> None:
        super().__init__()
        self._count = 0
        self._draw: Callable[[int], Line] | None = None
        self._notice = ""
        self._stale = False
        self.tail = tail

    # -- content ---------------------------------------------------------------------------

    def show(self, count: int, width: int, draw: Callable[[int], Line]) -> None:
        """Show ``count`` lines, the widest of ``width`` cells; ``draw`` gives each of them."""
        self._count, self._draw = count, draw
        self.virtual_size = Size(width + 2, count)
        self._keep_end()
        self.refresh()

    def _keep_end(self) -> None:
        if self.tail:
            end = max(self._count - self.scrollable_content_region.height, 0)
            self.scroll_to(y=end, animate=False, immediate=True, force=True)

    def on_resize(self, _event: events.Resize) -> None:
        """Keep the last line in sight, if it was."""
        self._keep_end()

    def say(self, notice: str) -> None:
        """Show a notice while there are no lines."""
        if notice != self._notice:
            self._notice = notice
            self.refresh()

    def mark(self, *, stale: bool) -> None:
        """Mark the lines as no longer true."""
        self._stale = stale
        self.refresh()

    def on_mouse_scroll_up(self) -> None:
        """Looking back ends the following of the last line."""
        self.tail = False

    # -- moving ----------------------------------------------------------------------------

    def action_lines_up(self) -> None:
        """One line up."""
        self.tail = False
        self.scroll_relative(y=-1, animate=False)

    def action_lines_down(self) -> None:
        """One line down."""
        self.scroll_relative(y=1, animate=False)

    def action_lines_left(self) -> None:
        """To the left."""
        self.scroll_relative(x=-8, animate=False)

    def action_lines_right(self) -> None:
        """To the right."""
        self.scroll_relative(x=8, animate=False)

    def action_lines_page_up(self) -> None:
        """One page up."""
        self.tail = False
        self.scroll_page_up(animate=False)

    def action_lines_page_down(self) -> None:
        """One page down."""
        self.scroll_page_down(animate=False)

    def action_lines_top(self) -> None:
        """To the first line."""
        self.tail = False
        self.scroll_home(animate=False)

    def action_lines_bottom(self) -> None:
        """To the last line, and stay there."""
        self.tail = True
        self.scroll_end(animate=False, x_axis=False)

    # -- drawing ---------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The line at ``y``, from where it is scrolled to."""
        width = self.scrollable_content_region.width
        x, top = self.scroll_offset
        if y + top < self._count and self._draw is not None:
            spans = [(clean(text), role) for text, role in self._draw(y + top)]
            stale: Role | None = "dim" if self._stale else None
            strip = self.painter.strip([(" ", "plain"), *spans], self.rich_style, stale)
            return strip.crop_extend(x, x + width, self.rich_style)
        notice = wrap(self._notice, max(width - 2, 1)) if self._count == 0 else []
        if y < len(notice):
            strip = self.painter.strip([(f" {notice[y]}", "dim")], self.rich_style)
            return strip.crop_extend(0, width, self.rich_style)
        return Strip.blank(width, self.rich_style)
