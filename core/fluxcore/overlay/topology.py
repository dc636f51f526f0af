"""The shape of the tree: who is whose parent (CONTRACTS B1)."""

import errno
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

from fluxcore.handle.errors import rpc_error

#: What a router of a mincrit tree has below it at most, unless told how many routers to have.
_MINCRIT_FANOUT: Final = 1024


def _number(scheme: str, arg: str) -> int:
    """The K of ``scheme:K``.

    :raises OSError: EINVAL: it is no number, or a negative one
    """
    if not (arg.isascii() and arg.isdigit()):
        raise rpc_error(errno.EINVAL, f"{scheme} k value must be an integer >= 0")
    return int(arg)


def _kary(arg: str, size: int) -> list[int]:
    fanout = _number("kary", arg or "32")
    if fanout == 0:
        return [0] * size
    return [(rank - 1) // fanout for rank in range(size)]


def _mincrit(arg: str, size: int) -> list[int]:
    """As few brokers in between as there can be: the root, K routers below it, then leaves."""
    routers = _number("mincrit", arg) if arg else _enough_routers(size)
    if routers == 0:
        return [0] * size
    return [(rank - routers - 1) % routers + 1 if rank > routers else 0 for rank in range(size)]


def _enough_routers(size: int) -> int:
    if size <= _MINCRIT_FANOUT + 1:
        return 0
    routers = 2
    while size - 1 - routers > routers * _MINCRIT_FANOUT:
        routers += 1
    return routers


def _binomial(arg: str, size: int) -> list[int]:
    if arg:
        raise rpc_error(errno.EINVAL, f"unknown binomial topology directive: '{arg}'")
    # A rank's parent lacks its lowest bit, so that the root's children are the powers of two.
    return [rank & (rank - 1) if rank else 0 for rank in range(size)]


_SCHEMES: Final[dict[str, Callable[[str, int], list[int]]]] = {
    "kary": _kary,
    "mincrit": _mincrit,
    "binomial": _binomial,
}


class Topology:
    """A tree over the ranks 0 to size-1, rooted at 0."""

    def __init__(self, parents: Sequence[int]) -> None:
        """``parents[rank]`` is the parent of ``rank``; that of rank 0 is not looked at."""
        self._parents = parents
        self.size = len(parents)

    @classmethod
    def parse(cls, uri: str, size: int) -> "Topology":
        """The tree that the attribute tbon.topo names: ``kary:K``, ``mincrit:K``, ``binomial``.

        :raises OSError: EINVAL, saying what is wrong
        """
        scheme, _, arg = uri.partition(":")
        make = _SCHEMES.get(scheme)
        if make is None:
            raise rpc_error(errno.EINVAL, f"unknown topology scheme '{scheme}'")
        return cls(make(arg, size))

    @cached_property
    def _children(self) -> list[list[int]]:
        children: list[list[int]] = [[] for _ in range(self.size)]
        for rank in range(1, self.size):
            children[self._parents[rank]].append(rank)
        return children

    def parent(self, rank: int) -> int | None:
        """The parent of ``rank``; None for rank 0."""
        return self._parents[rank] if rank else None

    def children(self, rank: int) -> list[int]:
        """The children of ``rank`` in order."""
        return self._children[rank]

    def route(self, here: int, target: int) -> int | None:
        """The child of ``here`` that leads to ``target``; None if it is not below ``here``."""
        if not 0 <= target < self.size:
            return None
        while target:
            parent = self._parents[target]
            if parent == here:
                return target
            target = parent
        return None

    def descendants(self, rank: int) -> int:
        """How many ranks are below ``rank``."""
        count, todo = 0, list(self.children(rank))
        while todo:
            count += 1
            todo.extend(self.children(todo.pop()))
        return count

    def level(self, rank: int) -> int:
        """How many steps ``rank`` is away from the root."""
        level = 0
        while rank:
            rank = self._parents[rank]
            level += 1
        return level

    @property
    def max_level(self) -> int:
        """The level of the rank that is farthest from the root."""
        depth, ranks = 0, self.children(0)
        while ranks:
            depth += 1
            ranks = [child for rank in ranks for child in self.children(rank)]
        return depth

    def subtree(self, rank: int) -> dict[str, Any]:
        """``{rank, size, children: [...]}`` as overlay.topology answers it."""
        children = [self.subtree(child) for child in self.children(rank)]
        return {
            "rank": rank,
            "size": 1 + sum(child["size"] for child in children),
            "children": children,
        }

    def subtree_ranks(self, rank: int) -> list[int]:
        """``rank`` and every rank below it."""
        ranks = [rank]
        for above in ranks:
            ranks.extend(self.children(above))
        return ranks

    def internal_ranks(self) -> list[int]:
        """The ranks that have children, and rank 0: those an instance cannot do without."""
        return [rank for rank in range(self.size) if rank == 0 or self.children(rank)]
