"""A cache bounded by bytes, least recently used first out.

The kvs module keeps by blobref what it has read and written of the hash tree, the content
module keeps blobs by digest. An entry that is *held* (not stored yet, say) is never evicted.
Every operation costs the same however many entries there are.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Entry(Generic[V]):
    __slots__ = ("holds", "size", "used", "value")

    def __init__(self, value: V, size: int, used: float) -> None:
        self.value = value
        self.size = size
        self.used = used
        self.holds = 0


class Cache(Generic[K, V]):
    """Values by key, with a size in bytes each.

    The cache has no clock: ``now``, if its owner cares for age, is whatever the owner last set
    it to, and an entry remembers the ``now`` of its last use.
    """

    def __init__(self) -> None:
        # In the order of use. A plain dict would pass over every entry that it ever dropped at
        # its front to find the first one left.
        self._free: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._held: dict[K, _Entry[V]] = {}
        self.size = 0
        self.now = 0.0

    def __len__(self) -> int:
        return len(self._free) + len(self._held)

    def __contains__(self, key: K) -> bool:
        return key in self._free or key in self._held

    def __iter__(self) -> Iterator[V]:
        for entries in (self._free, self._held):
            for entry in entries.values():
                yield entry.value

    @property
    def held(self) -> int:
        """The number of entries that are held."""
        return len(self._held)

    def get(self, key: K) -> V | None:
        """The value at ``key``, now the last used one; None if there is none."""
        entry = self._free.get(key)
        if entry is not None:
            self._free.move_to_end(key)
        else:
            entry = self._held.get(key)
            if entry is None:
                return None
        entry.used = self.now
        return entry.value

    def add(self, key: K, value: V, size: int) -> None:
        """Put ``value`` of ``size`` bytes at ``key``, in place of what is there.

        A hold on the entry stays.
        """
        entry = _Entry(value, size, self.now)
        self.size += size
        old = self._held.get(key)
        if old is not None:
            entry.holds = old.holds
            self._held[key] = entry
        else:
            old = self._free.pop(key, None)
            self._free[key] = entry
        if old is not None:
            self.size -= old.size

    def add_held(self, key: K, value: V, size: int) -> None:
        """Put ``value`` at ``key``, where nothing is, and hold it."""
        entry = self._held[key] = _Entry(value, size, self.now)
        entry.holds = 1
        self.size += size

    def hold(self, key: K) -> None:
        """Keep ``key``, which is here, until :meth:`release` was called as often as this."""
        entry = self._free.pop(key, None)
        if entry is None:
            entry = self._held[key]
        else:
            self._held[key] = entry
        entry.holds += 1

    def release(self, key: K) -> None:
        """Take one hold on ``key`` back; after the last one it is the last used entry."""
        entry = self._held[key]
        entry.holds -= 1
        if not entry.holds:
            del self._held[key]
            self._free[key] = entry
            entry.used = self.now

    def discard(self, key: K) -> None:
        """Forget ``key`` unless it is held."""
        entry = self._free.pop(key, None)
        if entry is not None:
            self.size -= entry.size

    def trim(self, target: int, unused_since: float | None = None) -> int:
        """Evict until ``target`` bytes or less are left; the number of entries evicted.

        :param unused_since: stop at the first entry used after this ``now``
        """
        count = 0
        while self.size > target and self._free:
            key, entry = next(iter(self._free.items()))
            if unused_since is not None and entry.used > unused_since:
                break
            self.discard(key)
            count += 1
        return count

    def validate_state(self) -> None:
        """Assert the invariants."""
        assert not self._free.keys() & self._held.keys()
        everything = [*self._free.values(), *self._held.values()]
        assert self.size == sum(entry.size for entry in everything)
        assert all(not entry.holds for entry in self._free.values())
        assert all(entry.holds > 0 for entry in self._held.values())
