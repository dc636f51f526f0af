"""The shape of the tree: who is whose parent (CONTRACTS B1)."""

import errno
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

from fluxcore.handle.errors import rpc_error


def _kary(arg: str, size: int) -> list[int]:
    try:
        fanout = int(arg)
    except ValueError:
        fanout = -1
    if fanout < 0:
        raise rpc_error(errno.EINVAL, "kary k value must be an integer >= 0")
    if fanout == 0:
        return [0] * size
    return [(rank - 1) // fanout for rank in range(size)]


def _binomial(arg: str, size: int) -> list[int]:
    if arg:
        raise rpc_error(errno.EINVAL, f"unknown binomial topology directive: '{arg}'")
    # A rank's parent lacks its highest bit, so that the root's children are the powers of two.
    return [rank - (1 << (rank.bit_length() - 1)) if rank else 0 for rank in range(size)]


_SCHEMES: Final[dict[str, Callable[[str, int], list[int]]]] = {
    "kary": _kary,
    "binomial": _binomial,
}
_DEFAULT_ARG: Final = {"kary": "32"}


class Topology:
    """A tree over the ranks 0 to size-1, rooted at 0."""

    def __init__(self, parents: Sequence[int]) -> None:
        """``parents[rank]`` is the parent of ``rank``; that of rank 0 is not looked at."""
        self._parents = parents
        self.size = len(parents)

    @classmethod
    def parse(cls, uri: str, size: int) -> "Topology":
        """The tree that the attribute tbon.topo names: ``kary:K`` or ``binomial``.

        :raises OSError: EINVAL, saying what is wrong
        """
        scheme, _, arg = uri.partition(":")
        make = _SCHEMES.get(scheme)
        if make is None:
            raise rpc_error(errno.EINVAL, f"unknown topology scheme '{scheme}'")
        return cls(make(arg or _DEFAULT_ARG.get(scheme, ""), size))

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
