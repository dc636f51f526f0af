"""Matchtags: the lowest free number from 1 on, 0 meaning none (CONTRACTS A14)."""

import heapq


class Matchtags:
    """Hands out matchtags and takes them back."""

    __slots__ = ("_free", "_next")

    def __init__(self) -> None:
        self._next = 1
        self._free: list[int] = []

    def alloc(self) -> int:
        """The lowest matchtag that is not in use."""
        if self._free:
            return heapq.heappop(self._free)
        tag = self._next
        self._next += 1
        return tag

    def free(self, tag: int) -> None:
        """Give ``tag`` back once its last response has come."""
        heapq.heappush(self._free, tag)
