"""Jobs in order, with inexpensive changes however many there are."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final

#: What jobs are sorted by: unlike for any two of them, since the last part is the job's id.
Key = tuple[float, int]

_BLOCK: Final = 512


class Ordered:
    """Keys in ascending order, in blocks of a limited size: a change moves no more than a block.

    Finding the block is a bisection over the last key of each.
    """

    __slots__ = ("_blocks", "_lasts", "_size")

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._lasts: list[Key] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Key]:
        for block in self._blocks:
            yield from block

    def add(self, key: Key) -> None:
        """Put ``key`` where it belongs; it must not be there."""
        self._size += 1
        if not self._blocks:
            self._blocks.append([key])
            self._lasts.append(key)
            return
        at = min(bisect_left(self._lasts, key), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, key)
        if len(block) > _BLOCK:
            self._split(at)
        else:
            self._lasts[at] = block[-1]

    def _split(self, at: int) -> None:
        block = self._blocks[at]
        half = len(block) // 2
        self._blocks[at : at + 1] = [block[:half], block[half:]]
        self._lasts[at : at + 1] = [block[half - 1], block[-1]]

    def remove(self, key: Key) -> None:
        """Take ``key`` away.

        :raises KeyError: it is not there
        """
        at = bisect_left(self._lasts, key)
        block = self._blocks[at] if at < len(self._blocks) else []
        where = bisect_left(block, key)
        if where == len(block) or block[where] != key:
            raise KeyError(key)
        del block[where]
        self._size -= 1
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]

    def batch(self, after: Key | None, count: int) -> list[Key]:
        """Up to ``count`` keys that come after ``after``, or the first ones.

        A walk that goes on from its last key sees what has changed meanwhile, and no key twice.
        """
        at = 0 if after is None else bisect_right(self._lasts, after)
        if at == len(self._blocks):
            return []
        where = 0 if after is None else bisect_right(self._blocks[at], after)
        found = self._blocks[at][where : where + count]
        while len(found) < count and at + 1 < len(self._blocks):
            at += 1
            found += self._blocks[at][: count - len(found)]
        return found
