"""The shells of a job, one on each of its ranks, and how far each has come."""

from dataclasses import dataclass

from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet


@dataclass(slots=True)
class ShellState:
    """What is known of a shell: its number among the job's, and what it has said."""

    index: int
    host: str
    heard: bool = False
    started: bool = False
    over: bool = False
    status: int = 0


class Shells:
    """All shells of a job by their ranks. The first is the leader: it speaks for the job."""

    __slots__ = ("_by_rank", "left", "unheard", "unstarted")

    def __init__(self, rset: ResourceSet) -> None:
        self._by_rank = {
            rank: ShellState(index, node.host)
            for index, (rank, node) in enumerate(rset.nodes.items())
        }
        #: Those that have not said anything, not started all tasks, not finished.
        self.unheard = self.unstarted = self.left = len(self._by_rank)

    def __len__(self) -> int:
        return len(self._by_rank)

    def __getitem__(self, rank: int) -> ShellState:
        return self._by_rank[rank]

    @property
    def ranks(self) -> list[int]:
        """All ranks, the leader's first."""
        return list(self._by_rank)

    @property
    def leader(self) -> int:
        """The leader's rank."""
        return next(iter(self._by_rank))

    @property
    def hosts(self) -> list[str]:
        """The hosts in the order of the shells."""
        return [shell.host for shell in self._by_rank.values()]

    @property
    def active(self) -> IdSet:
        """The ranks of those that have not finished."""
        return IdSet(rank for rank, shell in self._by_rank.items() if not shell.over)

    @property
    def status(self) -> int:
        """The greatest wait status of them."""
        return max([shell.status for shell in self._by_rank.values()])

    def hear(self, rank: int) -> bool:
        """A shell has said something; True if all have now."""
        shell = self._by_rank[rank]
        if shell.heard:
            return False
        shell.heard = True
        self.unheard -= 1
        return not self.unheard

    def start(self, rank: int) -> bool:
        """A shell has started its tasks; True if all have now."""
        shell = self._by_rank[rank]
        if shell.started:
            return False
        shell.started = True
        self.unstarted -= 1
        return not self.unstarted

    def end(self, rank: int) -> bool:
        """A shell is over; True if all are now."""
        self._by_rank[rank].over = True
        self.left -= 1
        return not self.left

    def validate_state(self) -> None:
        """Assert what must hold at any time."""
        shells = self._by_rank.values()
        assert self.left == sum(not shell.over for shell in shells)
        assert self.unheard == sum(not shell.heard for shell in shells)
        assert self.unstarted == sum(not shell.started for shell in shells)
