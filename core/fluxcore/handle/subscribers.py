"""Who is given which events (CONTRACTS A8)."""

import errno
from bisect import insort
from typing import Generic, TypeVar

from fluxcore.handle.errors import rpc_error

T = TypeVar("T")


class Subscribers(Generic[T]):
    """Takers of events by the topic prefixes that they subscribe to, each as often as it has.

    ``foo`` matches ``foobar`` and ``foo.bar``; the empty prefix matches every topic. An event
    costs a look-up for each length that a prefix has, however many takers and prefixes there are.
    """

    __slots__ = ("_by_length", "_by_prefix", "_lengths")

    def __init__(self) -> None:
        self._by_prefix: dict[str, dict[T, int]] = {}
        #: How many prefixes have each length, and these lengths, ascending.
        self._by_length: dict[int, int] = {}
        self._lengths: list[int] = []

    def add(self, prefix: str, taker: T) -> None:
        """Subscribe ``taker`` once more."""
        takers = self._by_prefix.get(prefix)
        if takers is None:
            takers = self._by_prefix[prefix] = {}
            self._count(len(prefix), 1)
        takers[taker] = takers.get(taker, 0) + 1

    def remove(self, prefix: str, taker: T) -> None:
        """Take one subscription back.

        :raises FileNotFoundError: there is none
        """
        takers = self._by_prefix.get(prefix, {})
        if taker not in takers:
            raise rpc_error(errno.ENOENT)
        takers[taker] -= 1
        if not takers[taker]:
            self._forget(prefix, taker)

    def drop(self, taker: T) -> None:
        """Take all subscriptions of ``taker`` back."""
        for prefix in [prefix for prefix, takers in self._by_prefix.items() if taker in takers]:
            self._forget(prefix, taker)

    def _forget(self, prefix: str, taker: T) -> None:
        takers = self._by_prefix[prefix]
        del takers[taker]
        if not takers:
            del self._by_prefix[prefix]
            self._count(len(prefix), -1)

    def _count(self, length: int, change: int) -> None:
        count = self._by_length[length] = self._by_length.get(length, 0) + change
        if not count:
            del self._by_length[length]
            self._lengths.remove(length)
        elif count == change:
            insort(self._lengths, length)

    def wanting(self, topic: str) -> list[T]:
        """Who an event of ``topic`` is for, each once."""
        found: dict[T, int] = {}
        for length in self._lengths:
            if length > len(topic):
                break
            takers = self._by_prefix.get(topic[:length])
            if takers is not None:
                found.update(takers)
        return list(found)
