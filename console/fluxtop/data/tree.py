"""A tree laid out as the rows that are visible."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

#: For each level above a row, from the root down: does a sibling follow there? The last one is
#: the row's own level. The root has none.
Branch = tuple[bool, ...]


class TreeRow(Protocol):
    """What a row of a tree has."""

    @property
    def key(self) -> Hashable:
        """What tells it from the others."""

    @property
    def branch(self) -> Branch:
        """Where it hangs."""

    @property
    def expanded(self) -> bool | None:
        """True if its children are shown, False if they could be, None if it has none."""


R = TypeVar("R", bound=TreeRow)


class TreeRows(Generic[R]):
    """The visible rows of a tree, found by index and by key."""

    def __init__(self, rows: Iterable[R] = ()) -> None:
        self._rows = list(rows)
        self._index = {row.key: at for at, row in enumerate(self._rows)}

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def __getitem__(self, index: int) -> R:
        """The row at ``index``."""
        return self._rows[index]

    def __iter__(self) -> Iterator[R]:
        """The rows from top to bottom."""
        return iter(self._rows)

    def index(self, key: Hashable) -> int | None:
        """Where the row of ``key`` is, or None."""
        return self._index.get(key)

    def parent(self, index: int) -> int | None:
        """The row that the one at ``index`` hangs on, or None for the root."""
        depth = len(self._rows[index].branch)
        for at in range(index - 1, -1, -1):
            if len(self._rows[at].branch) < depth:
                return at
        return None
