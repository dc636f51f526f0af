"""Rows in order: a table's content, kept up to date one row at a time.

A change of one row costs a search, not a rebuild; a filter or another order rebuilds once.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar


class SortKey(Hashable, Protocol):
    """Anything that can be ordered against its like."""

    def __lt__(self, other: Any, /) -> bool: ...


R = TypeVar("R")
K = TypeVar("K", bound=SortKey)


class Rows(Generic[K, R]):
    """The rows that are shown, in order, and those that a filter holds back.

    :param key: what tells rows apart; keys are ordered among each other, which settles ties
    :param order: what rows are sorted by
    """

    def __init__(
        self,
        key: Callable[[R], K],
        order: Callable[[R], SortKey] | None = None,
        *,
        reverse: bool = False,
    ) -> None:
        self._key = key
        self._order: Callable[[R], SortKey] = order or key
        self._reverse = reverse
        self._keep: Callable[[R], bool] | None = None
        self._rows: dict[K, R] = {}
        self._shown: list[tuple[SortKey, K]] = []

    # -- reading ---------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of rows shown."""
        return len(self._shown)

    def __getitem__(self, index: int) -> R:
        """The row shown at ``index``."""
        return self._rows[self._shown[self._at(index)][1]]

    def __iter__(self) -> Iterator[R]:
        """The rows shown, in order."""
        order = reversed(self._shown) if self._reverse else iter(self._shown)
        return (self._rows[key] for _, key in order)

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self._shown):
            raise IndexError(index)
        return len(self._shown) - 1 - index if self._reverse else index

    @property
    def total(self) -> int:
        """The number of rows, those held back included."""
        return len(self._rows)

    def get(self, key: K) -> R | None:
        """The row of ``key``, shown or not."""
        return self._rows.get(key)

    def everything(self) -> Iterable[R]:
        """All rows, shown or not, in no order."""
        return self._rows.values()

    def index(self, key: K) -> int | None:
        """Where the row of ``key`` is shown, or None if it is not."""
        row = self._rows.get(key)
        if row is None:
            return None
        entry = (self._order(row), key)
        place = bisect_left(self._shown, entry)
        if place == len(self._shown) or self._shown[place] != entry:
            return None
        return len(self._shown) - 1 - place if self._reverse else place

    # -- changing --------------------------------------------------------------------------

    def put(self, row: R) -> bool:
        """Add or replace a row; False if it is there already just so."""
        key = self._key(row)
        old = self._rows.get(key)
        if old == row:
            return False
        if old is not None:
            self._hide(key, old)
        self._rows[key] = row
        if self._keep is None or self._keep(row):
            insort(self._shown, (self._order(row), key))
        return True

    def discard(self, key: K) -> bool:
        """Remove the row of ``key``; False if there is none."""
        old = self._rows.get(key)
        if old is None:
            return False
        self._hide(key, old)
        del self._rows[key]
        return True

    def _hide(self, key: K, row: R) -> None:
        entry = (self._order(row), key)
        place = bisect_left(self._shown, entry)
        if place < len(self._shown) and self._shown[place] == entry:
            del self._shown[place]

    def replace(self, rows: Iterable[R]) -> None:
        """Make ``rows`` the whole content, touching only what differs."""
        new = {self._key(row): row for row in rows}
        gone = [key for key in self._rows if key not in new]
        different = sum(self._rows.get(key) != row for key, row in new.items())
        if len(gone) + different > 64 + len(new) // 8:
            self._rows = new
            self._rebuild()
        else:
            for key in gone:
                self.discard(key)
            for row in new.values():
                self.put(row)

    def clear(self) -> None:
        """Remove every row."""
        self._rows.clear()
        self._shown.clear()

    def sort(self, order: Callable[[R], SortKey], *, reverse: bool = False) -> None:
        """Show the rows in another order."""
        self._order, self._reverse = order, reverse
        self._rebuild()

    def filter(self, keep: Callable[[R], bool] | None) -> None:
        """Show only the rows that ``keep`` is true of; None shows all."""
        self._keep = keep
        self._rebuild()

    def _rebuild(self) -> None:
        keep = self._keep
        self._shown = sorted(
            (self._order(row), key) for key, row in self._rows.items() if keep is None or keep(row)
        )

    def validate_state(self) -> None:
        """Assert what must always hold (for tests)."""
        keys = [key for _, key in self._shown]
        assert self._shown == sorted(self._shown), "out of order"
        assert len(set(keys)) == len(keys), "a row is shown twice"
        kept = {k for k, row in self._rows.items() if self._keep is None or self._keep(row)}
        assert set(keys) == kept, "the filter and what is shown disagree"
