"""A table that draws only the rows on the screen.

It holds no rows: it is given something that has them by index and finds them by key, and a
presenter that makes cells of one. A hundred thousand rows cost what fifty do.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from fluxtop.bindings import bindings
from fluxtop.cells import Cell, Role, Span, pad
from fluxtop.columns import GAP, Column, fit
from fluxtop.glyphs import UNICODE, Glyphs
from fluxtop.widgets.spans import SpanScroll

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


#: The cells of a row, and whether the cursor is on it.
_Said = tuple[Mapping[str, Cell], bool]


class RowSource(Protocol[R_co]):
    """Where a table gets its rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> R_co: ...

    def index(self, key: Any) -> int | None:
        """Where the row of ``key`` is, or None."""


class Table(SpanScroll, Generic[R], can_focus=True):
    """A table with a header, a cursor that stays on its row, and no state of its own.

    :param key: what the cursor holds on to when rows come and go
    :param present: the cells of a row, by column id
    """

    BINDINGS = bindings("table")

    class Moved(Message):
        """The cursor is on another row, or there is none."""

    class Chosen(Message):
        """The row under the cursor was clicked twice."""

    class FilterAsked(Message):
        """The user wants to filter the rows."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: RowSource[R],
        key: Callable[[R], Hashable],
        present: Callable[[R], Mapping[str, Cell]],
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        super().__init__()
        self._columns = columns
        self._rows = rows
        self._key = key
        self._present = present
        self._glyphs = glyphs
        self._cursor = 0
        self._cursor_key: Hashable | None = None
        #: The row that the cursor goes to as soon as it is shown.
        self._awaited: Hashable | None = None
        self._sorted_by = ""
        self._notice = ""
        self._stale = False
        #: What each line said when it was last drawn.
        self._drawn: dict[int, _Said | None] = {}
        #: True while the cursor stays on the last row, whatever comes.
        self.tail = False

    # -- content ---------------------------------------------------------------------------

    def update(self, rows: RowSource[R] | None = None) -> None:
        """The rows are others now: hold the cursor to its row and draw anew."""
        if rows is not None:
            self._rows = rows
        count = len(self._rows)
        if self.virtual_size.height != count + 1:
            self.virtual_size = Size(0, count + 1)
        if self._awaited is not None and self._rows.index(self._awaited) is not None:
            self._cursor_key, self._awaited = self._awaited, None
        found = None if self._cursor_key is None else self._rows.index(self._cursor_key)
        index = found if found is not None else min(self._cursor, count - 1)
        # A cursor that stays where it is does not call back who has scrolled away from it.
        self._place(count - 1 if self.tail else index, reveal=self.tail or index != self._cursor)
        self.refresh_rows()

    def say(self, notice: str) -> None:
        """Show a notice where rows would be, while there are none."""
        if notice != self._notice:
            self._notice = notice
            self.refresh()

    def mark(self, *, sorted_by: str | None = None, stale: bool | None = None) -> None:
        """Mark the column that rows are sorted by, or the rows as no longer true."""
        before = self._sorted_by, self._stale
        self._sorted_by = self._sorted_by if sorted_by is None else sorted_by
        self._stale = self._stale if stale is None else stale
        if (self._sorted_by, self._stale) != before:
            self.refresh()

    # -- the cursor ------------------------------------------------------------------------

    @property
    def row(self) -> R | None:
        """The row under the cursor, if there is one."""
        return self._rows[self._cursor] if 0 <= self._cursor < len(self._rows) else None

    @property
    def cursor(self) -> int:
        """The index of the row under the cursor."""
        return self._cursor

    def go(self, index: int) -> None:
        """Put the cursor on a row; beyond an end, on the row there."""
        self._awaited = None
        self._place(min(max(index, 0), len(self._rows) - 1))
        self.refresh_rows()

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on the row of ``key``: now, or as soon as there is one.

        Going elsewhere meanwhile ends the waiting.
        """
        self._awaited = key
        self.update()

    def _place(self, index: int, *, reveal: bool = True) -> None:
        self._cursor = max(index, 0)
        row = self.row
        key = None if row is None else self._key(row)
        moved, self._cursor_key = key != self._cursor_key, key
        if reveal:
            self._show_cursor()
        if moved:
            self.post_message(self.Moved())

    def _show_cursor(self) -> None:
        page, top = self._page, self.scroll_offset.y
        if self._cursor < top:
            top = self._cursor
        elif self._cursor >= top + page:
            top = self._cursor - page + 1
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    @property
    def _page(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def on_resize(self, _event: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._show_cursor()

    def on_mouse_scroll_up(self) -> None:
        """Looking back ends the following of the last row."""
        self.tail = False

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row clicked; choose it at the second click."""
        index = event.y - 1 + self.scroll_offset.y
        if event.y > 0 and 0 <= index < len(self._rows):
            self.tail = False
            self.go(index)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def action_table_up(self) -> None:
        """One row up."""
        self._move(self._cursor - 1)

    def action_table_down(self) -> None:
        """One row down."""
        self._move(self._cursor + 1)

    def action_table_page_up(self) -> None:
        """One page up."""
        self._move(self._cursor - self._page)

    def action_table_page_down(self) -> None:
        """One page down."""
        self._move(self._cursor + self._page)

    def action_table_top(self) -> None:
        """To the first row."""
        self._move(0)

    def action_table_bottom(self) -> None:
        """To the last row."""
        self._move(len(self._rows) - 1)

    def action_table_filter(self) -> None:
        """Ask for a filter."""
        self.post_message(self.FilterAsked())

    def _move(self, index: int) -> None:
        self.tail = False
        self.go(index)

    # -- drawing ---------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The header, a row, or a blank."""
        width = self.scrollable_content_region.width
        if y == 0:
            return self._header(width)
        said = self._drawn[y] = self._says(y)
        if said is not None:
            cells, under_cursor = said
            base = self._cursor_style() if under_cursor else self.rich_style
            return self._draw(self._line(cells, width), width, base)
        if y == 1 and self._notice:
            return self._draw([(f" {self._notice}", "dim")], width, self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _says(self, y: int) -> _Said | None:
        """What the line at ``y`` says now; None if no row is there."""
        index = y - 1 + self.scroll_offset.y
        if index >= len(self._rows):
            return None
        return self._present(self._rows[index]), index == self._cursor

    def _cursor_style(self) -> Style:
        name = "cursor" if self.has_focus else "cursor-off"
        return self.rich_style + self.painter.behind(name)

    def on_focus(self) -> None:
        """The cursor stands out more."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor stands out less."""
        self.refresh()

    def _header(self, width: int) -> Strip:
        cells: dict[str, Cell] = {}
        for column in self._columns:
            mark = "*" if column.id == self._sorted_by else ""
            cells[column.id] = ((f"{column.title}{mark}", "plain"),)
        base = self.rich_style + self.painter.style("heading")
        return self._draw(self._line(cells, width), width, base)

    def _line(self, cells: Mapping[str, Cell], width: int) -> list[Span]:
        spans: list[Span] = [(" ", "plain")]
        for at, (column, size) in enumerate(fit(self._columns, width - 2)):
            if at:
                spans.append((" " * GAP, "plain"))
            spans += pad(cells.get(column.id, ()), size, self._glyphs.more, column.align)
        return spans

    def _draw(self, spans: list[Span], width: int, base: Style) -> Strip:
        role: Role | None = "dim" if self._stale else None
        return self.painter.strip(spans, base, role).adjust_cell_length(width, base)

    def refresh_rows(self) -> None:
        """Draw anew the lines that say something else now than they did."""
        width = self.size.width
        for y in range(1, self.size.height):
            if y not in self._drawn or self._drawn[y] != self._says(y):
                self.refresh(Region(0, y, width, 1))
