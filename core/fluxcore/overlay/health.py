"""The status of a subtree (CONTRACTS B7)."""

from collections.abc import Iterable
from enum import IntEnum


class Status(IntEnum):
    """How a broker and all below it fare, with the numbers of overlay.hello."""

    UNKNOWN = 0
    FULL = 1
    PARTIAL = 2
    DEGRADED = 3
    LOST = 4
    OFFLINE = 5

    @property
    def label(self) -> str:
        """The word that overlay.health uses."""
        return self.name.lower()

    @property
    def online(self) -> bool:
        """True if the broker itself is connected."""
        return self in (Status.FULL, Status.PARTIAL, Status.DEGRADED)


def subtree_status(children: Iterable[Status]) -> Status:
    """The status of a broker by those of its children; a leaf is full."""
    status = Status.FULL
    for child in children:
        if child in (Status.DEGRADED, Status.LOST):
            return Status.DEGRADED
        if child in (Status.PARTIAL, Status.OFFLINE):
            status = Status.PARTIAL
    return status
