"""Folding a tree: what becomes of the row under the cursor of its table."""

from collections.abc import Callable
from typing import Generic, TypeVar

from fluxtop.data.tree import TreeRow, TreeRows
from fluxtop.widgets.table import Table

R = TypeVar("R", bound=TreeRow)


class Folding(Generic[R]):
    """Unfolds and folds rows by the cursor.

    :param rows: the rows of the tree as they are now
    :param turn: unfolds a row (True) or folds it
    """

    def __init__(
        self, table: Table[R], rows: Callable[[], TreeRows[R]], turn: Callable[[R, bool], None]
    ) -> None:
        self._table = table
        self._rows = rows
        self._turn = turn

    def unfold(self) -> None:
        """Show what is below the row."""
        row = self._table.row
        if row is not None and row.expanded is False:
            self._turn(row, True)

    def fold(self) -> None:
        """Hide what is below the row, or go to the row that it hangs on."""
        row = self._table.row
        if row is None:
            return
        if row.expanded:
            self._turn(row, False)
            return
        above = self._rows().parent(self._table.cursor)
        if above is not None:
            self._table.go(above)
