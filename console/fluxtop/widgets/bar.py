"""One line with something at its left and something at its right."""

from textual.strip import Strip
from textual.widget import Widget

from fluxtop.cells import Cell, crop, width_of
from fluxtop.glyphs import UNICODE, Glyphs
from fluxtop.widgets.spans import Painter


class Bar(Widget):
    """A line of spans; where there is no room for both sides, the right one stays whole."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        self._painter = Painter(self)
        super().__init__(id=id)
        self._glyphs = glyphs
        self._left: Cell = ()
        self._right: Cell = ()

    def show(self, left: Cell, right: Cell = ()) -> None:
        """Show these spans."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def notify_style_update(self) -> None:
        """The style sheet or the theme is another one."""
        self._painter.forget()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """The line, on the first one of the widget."""
        width, base = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, base)
        right = crop(self._right, width, self._glyphs.more)
        left = crop(self._left, max(width - width_of(right) - 1, 0), self._glyphs.more)
        gap = " " * (width - width_of(left) - width_of(right))
        return self._painter.strip([*left, (gap, "plain"), *right], base).adjust_cell_length(
            width, base
        )
