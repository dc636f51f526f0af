"""What a job is started with, and what it can do to the world."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from fluxcore.job.jobspec import Jobspec
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet

#: What a job may wait for.
Timer = Literal["kill", "give-up", "expiration", "signal", "exit", "mock"]
TIMERS: Final[Sequence[Timer]] = ("kill", "give-up", "expiration", "signal", "exit", "mock")


@dataclass(frozen=True, slots=True)
class Start:
    """What the job manager says of a job that is to start (CONTRACTS D20)."""

    id: int
    userid: int
    jobspec: Jobspec
    rset: ResourceSet
    reattach: bool = False


class JobPort(Protocol):
    """What a job does to the world."""

    def answer(self, kind: str, data: Mapping[str, Any]) -> None:
        """Answer the job manager."""

    def start_shells(self) -> None:
        """Have a shell started on each rank."""

    def tell_shells(self, ranks: Iterable[int], kind: str, data: Mapping[str, Any]) -> None:
        """Tell the shells on some ranks something."""

    def arm(self, timer: Timer, delay: float) -> None:
        """Tell the job that a timer has run out after ``delay`` seconds."""

    def disarm(self, timer: Timer) -> None:
        """Do not, if that was still to come."""

    def drain(self, ranks: IdSet, reason: str) -> None:
        """Have ranks drained."""

    def finalize(self) -> None:
        """Save the guest's records for good, then release the job's resources."""
