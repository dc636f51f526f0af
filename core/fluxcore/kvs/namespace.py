"""Namespaces: each a root of its own, with an owner (CONTRACTS C5, C6, C7).

Rank 0 has them all and changes them; another rank knows those that were asked for there, and
follows the setroot events.
"""

import errno
import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.queue import CommitQueue

R = TypeVar("R")

_BEING_REMOVED: Final = "namespace with identical name in process of being removed. Try again later"


class VersionWaiters(Generic[R]):
    """Requests that wait for a root sequence number."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, R]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[R]:
        return (request for _, _, request in self._heap)

    def add(self, rootseq: int, request: R) -> None:
        """Let ``request`` wait for ``rootseq``."""
        self._count += 1
        heapq.heappush(self._heap, (rootseq, self._count, request))

    def reached(self, rootseq: int) -> list[R]:
        """The requests that wait no longer, those for the lowest number first."""
        done: list[R] = []
        while self._heap and self._heap[0][0] <= rootseq:
            done.append(heapq.heappop(self._heap)[2])
        return done

    def clear(self) -> list[R]:
        """All requests; none waits any more."""
        done = [request for _, _, request in sorted(self._heap, key=lambda item: item[:2])]
        self._heap.clear()
        return done

    def discard(self, match: Callable[[R], bool]) -> None:
        """Forget the requests that ``match``: their senders are gone."""
        self._heap = [item for item in self._heap if not match(item[2])]
        heapq.heapify(self._heap)


class Namespace(Generic[R]):
    """A namespace as one rank knows it; ``R`` is what the shell has for a request."""

    __slots__ = (
        "commits",
        "flags",
        "known_stores",
        "name",
        "owner",
        "queue",
        "removed",
        "rootref",
        "rootseq",
        "touched",
        "waiters",
    )

    def __init__(self, name: str, owner: int, flags: int, rootref: str, rootseq: int) -> None:
        self.name = name
        self.owner = owner
        self.flags = flags
        self.rootref = rootref
        self.rootseq = rootseq
        self.removed = False
        #: When its root last changed, by the shell's clock.
        self.touched = 0.0
        self.waiters: VersionWaiters[R] = VersionWaiters()
        #: Commit requests made on this rank and not answered, by transaction name.
        self.commits: dict[str, R] = {}
        self.queue = CommitQueue()
        #: How many blobs were stored that were in the cache already.
        self.known_stores = 0

    def check_user(self, userid: int | None) -> None:
        """Let in its owner and, as None, the owner of the instance.

        :raises OSError: EPERM for anybody else
        """
        if userid is not None and userid != self.owner:
            raise kvs_error(errno.EPERM)

    def set_root(self, rootref: str, rootseq: int) -> list[R]:
        """Follow a setroot; an older one changes nothing.

        :returns: the requests that waited for that version
        """
        if rootseq <= self.rootseq:
            return []
        self.rootref = rootref
        self.rootseq = rootseq
        return self.waiters.reached(rootseq)

    @property
    def idle(self) -> bool:
        """True if nobody waits for anything of it."""
        return not self.waiters and not self.commits and not self.queue


class Namespaces(Generic[R]):
    """The namespaces that a rank knows."""

    def __init__(self) -> None:
        self._table: dict[str, Namespace[R]] = {}

    def __iter__(self) -> Iterator[Namespace[R]]:
        return iter(list(self._table.values()))

    def __len__(self) -> int:
        return len(self._table)

    def get(self, name: str) -> Namespace[R] | None:
        """The namespace ``name`` unless it is unknown or being removed."""
        namespace = self._table.get(name)
        return namespace if namespace is not None and not namespace.removed else None

    def find(self, name: str) -> Namespace[R] | None:
        """The namespace ``name``, be it being removed."""
        return self._table.get(name)

    def need(self, name: str, userid: int | None) -> Namespace[R]:
        """The namespace ``name`` for ``userid``.

        :raises OSError: ENOTSUP if there is none, EPERM if it is somebody else's
        """
        namespace = self.get(name)
        if namespace is None:
            raise kvs_error(errno.ENOTSUP)
        namespace.check_user(userid)
        return namespace

    def create(
        self, name: str, owner: int, flags: int, rootref: str, rootseq: int = 0
    ) -> Namespace[R]:
        """Make namespace ``name``.

        :raises OSError: EEXIST, there is one, perhaps one that was removed and is waited for
        """
        old = self._table.get(name)
        if old is not None and not (old.removed and old.idle):
            raise kvs_error(errno.EEXIST, _BEING_REMOVED if old.removed else None)
        namespace = self._table[name] = Namespace(name, owner, flags, rootref, rootseq)
        return namespace

    def remove(self, name: str) -> Namespace[R] | None:
        """Mark ``name`` removed; it goes when nobody waits for it any more (:meth:`reap`).

        :returns: the namespace, or None if there is none
        :raises OSError: ENOTSUP, it is the primary one
        """
        if name.lower() == PRIMARY:
            raise kvs_error(errno.ENOTSUP)
        namespace = self.get(name)
        if namespace is not None:
            namespace.removed = True
        return namespace

    def forget(self, name: str) -> None:
        """Know ``name`` no more; it may be asked for again."""
        del self._table[name]

    def reap(self) -> list[str]:
        """Drop the removed namespaces that are idle; their names."""
        gone = [ns.name for ns in self._table.values() if ns.removed and ns.idle]
        for name in gone:
            del self._table[name]
        return gone
