"""The tree of brokers laid out as rows, from its topology and what is known of its health."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxtop.data.tbon import Health, Subtree, Topology
from fluxtop.data.tree import Branch, TreeRows

#: Up to this many brokers the whole tree is shown, broker by broker.
SMALL: Final = 64
#: In a larger tree, equal neighbours are shown as one row from this many on.
GROUP: Final = 4
#: No row hangs lower than this; a chain of a thousand brokers is no tree to look at.
DEEPEST: Final = 64

#: A broker by its rank, or a group by its parent's rank and its first member's.
TbonKey = int | tuple[int, int]


@dataclass(frozen=True, slots=True)
class TbonRow:
    """A broker, or a group of brokers whose subtrees are alike.

    ``since`` is when the state began in seconds since 1970 (None if nobody has said), ``below``
    how many brokers are under those of the row.
    """

    key: TbonKey
    branch: Branch
    ranks: IdSet
    hosts: str
    status: str
    since: float | None
    error: str
    below: int
    expanded: bool | None

    @property
    def rank(self) -> int:
        """The broker's rank, or that of the first of the group."""
        return self.ranks.first


@dataclass(frozen=True, slots=True)
class _Known:
    status: str
    since: float | None
    error: str = ""


class TbonModel:
    """What is known of the tree, what of it is unfolded, and the rows that follow from both."""

    def __init__(self) -> None:
        self._hosts = Hostlist()
        self._parents: tuple[int, ...] = ()
        self._children: list[list[int]] = []
        self._below: list[int] = []
        self._known: dict[int, _Known] = {}
        self._turned: dict[TbonKey, bool] = {}
        self._needle = ""
        self.rows: TreeRows[TbonRow] = TreeRows()

    # -- what comes in ---------------------------------------------------------------------

    def set_topology(self, topology: Topology) -> None:
        """Take the tree; health that is known of it already stays."""
        self._parents, self._hosts = topology.parents, topology.hosts
        self._children = [[] for _ in topology.parents]
        for rank, parent in enumerate(topology.parents):
            if parent >= 0:
                self._children[parent].append(rank)
        self._below = _count_below(self._children)
        self._known = {rank: k for rank, k in self._known.items() if rank < len(self._parents)}
        self._layout()

    def set_health(self, health: Health, now: float) -> None:
        """Take what a broker says of itself and of its children."""
        for subtree in (health.own, *health.children):
            self._learn(subtree, now)
        self._layout()

    def _learn(self, subtree: Subtree, now: float) -> None:
        old = self._known.get(subtree.rank)
        since = now - subtree.duration
        if old is not None and old.status == subtree.status and old.since is not None:
            since = min(since, old.since) if abs(since - old.since) < 1.0 else since
        self._known[subtree.rank] = _Known(subtree.status, since, subtree.error)

    def turn(self, key: TbonKey, expanded: bool) -> None:
        """Unfold or fold a row."""
        self._turned[key] = expanded
        self._layout()

    def filter(self, text: str) -> None:
        """Show only brokers whose rank, host or state contains ``text``, one by one."""
        self._needle = text.lower()
        self._layout()

    # -- what is asked ---------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The number of brokers, 0 while it is not known."""
        return len(self._parents)

    def host(self, rank: int) -> str:
        """The host that a broker runs on, empty if it is not known."""
        return self._hosts[rank] if rank < len(self._hosts) else ""

    def status(self, rank: int) -> str:
        """A broker's state: as told, or as follows from what its ancestors say."""
        here = rank
        while here >= 0 and here not in self._known:
            here = self._parents[here]
        above = self._known[here].status if here >= 0 else "unknown"
        return above if here == rank or above in ("full", "lost", "offline") else "unknown"

    def wanted(self) -> frozenset[int]:
        """The brokers whose health is to be followed: those whose children are shown."""
        shown = {row.rank for row in self.rows if row.expanded and isinstance(row.key, int)}
        return frozenset({0} | shown)

    def counts(self) -> dict[str, int]:
        """How many brokers are in each state, as far as it is known."""
        counts: dict[str, int] = {}
        for rank in range(self.size):
            status = self.status(rank)
            counts[status] = counts.get(status, 0) + 1
        return counts

    # -- laying out ------------------------------------------------------------------------

    def _layout(self) -> None:
        if not self._parents:
            self.rows = TreeRows()
        elif self._needle:
            self.rows = TreeRows(self._matching())
        else:
            self.rows = TreeRows(self._walk([0], ()))

    def _matching(self) -> Iterator[TbonRow]:
        for rank in range(self.size):
            text = f"{rank} {self.host(rank)} {self.status(rank)}".lower()
            if self._needle in text:
                yield self._row([rank], (), None, rank)

    def _walk(self, ranks: list[int], branch: Branch) -> Iterator[TbonRow]:
        """The rows of sibling brokers and of what is unfolded below them."""
        groups = list(self._groups(ranks))
        for at, group in enumerate(groups):
            here = branch if not branch and ranks == [0] else (*branch, at + 1 < len(groups))
            if len(group) == 1:
                yield from self._broker(group[0], here)
            else:
                yield from self._group(group, here)

    def _broker(self, rank: int, branch: Branch) -> Iterator[TbonRow]:
        children = self._children[rank]
        expanded = self._expanded(rank, len(branch)) if children else None
        yield self._row([rank], branch, expanded, rank)
        if expanded:
            yield from self._walk(children, branch)

    def _group(self, ranks: list[int], branch: Branch) -> Iterator[TbonRow]:
        key = (self._parents[ranks[0]], ranks[0])
        expanded = self._turned.get(key, False)
        yield self._row(ranks, branch, expanded, key)
        if expanded:
            for at, rank in enumerate(ranks):
                yield from self._broker(rank, (*branch, at + 1 < len(ranks)))

    def _row(
        self, ranks: list[int], branch: Branch, expanded: bool | None, key: TbonKey
    ) -> TbonRow:
        first = self._known.get(ranks[0])
        since = first.since if first and len(ranks) == 1 else None
        return TbonRow(
            key=key,
            branch=branch,
            ranks=IdSet(ranks),
            hosts=Hostlist([self.host(rank) for rank in ranks if self.host(rank)]).encode(),
            status=self.status(ranks[0]),
            since=since,
            error=first.error if first else "",
            below=sum(self._below[rank] for rank in ranks),
            expanded=expanded,
        )

    def _groups(self, ranks: list[int]) -> Iterator[list[int]]:
        """Sibling brokers, those that are alike together if the tree is large."""
        if self.size <= SMALL:
            yield from ([rank] for rank in ranks)
            return
        for _, alike in groupby(ranks, lambda rank: (self.status(rank), self._below[rank])):
            group = list(alike)
            if len(group) >= GROUP:
                yield group
            else:
                yield from ([rank] for rank in group)

    def _expanded(self, rank: int, depth: int) -> bool:
        if depth >= DEEPEST:
            return False
        turned = self._turned.get(rank)
        if turned is not None:
            return turned
        ill = self.status(rank) in ("partial", "degraded")
        return self.size <= SMALL or rank == 0 or ill


def _count_below(children: list[list[int]]) -> list[int]:
    """How many brokers are under each; a parent's rank need not be below its children's."""
    below = [0] * len(children)
    for rank in reversed(list(_preorder(children))):
        below[rank] = sum(1 + below[child] for child in children[rank])
    return below


def _preorder(children: list[list[int]]) -> Iterable[int]:
    todo = [0] if children else []
    while todo:
        rank = todo.pop()
        yield rank
        todo += children[rank]
