"""The life of the console's connection to an instance: a state machine without IO or clock.

The console never leaves and never freezes when a broker goes away: it waits a little, longer
each time, and dials again; switching to another instance works in every phase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from fluxtop.data.trouble import Trouble

#: Seconds before the first new attempt; doubled for each further one up to the last.
FIRST_DELAY: Final = 0.25
LAST_DELAY: Final = 8.0


class Phase(Enum):
    """Where the connection is in its life; the value is the word shown for it."""

    STARTING = "starting"  #: the instance is being started; its URI is not known yet
    DIALING = "connecting"
    UP = "connected"
    WAITING = "lost"  #: until the next attempt
    FAILED = "failed"  #: the instance did not start; only another target helps
    CLOSED = "closed"


class Cause(Enum):
    """What moves the connection from one phase to the next."""

    LOCATED = "its URI is known"
    UNLOCATED = "it did not start"
    ANSWERED = "the broker let us in"
    LOST = "the broker refused us or went away"
    ELAPSED = "the wait is over, or the user does not want to wait"
    SWITCHED = "the user wants another instance"
    ENDED = "the console leaves"


_TRANSITIONS: Final[Mapping[tuple[Phase, Cause], Phase]] = {
    (Phase.STARTING, Cause.LOCATED): Phase.DIALING,
    (Phase.STARTING, Cause.UNLOCATED): Phase.FAILED,
    (Phase.DIALING, Cause.ANSWERED): Phase.UP,
    (Phase.DIALING, Cause.LOST): Phase.WAITING,
    (Phase.UP, Cause.LOST): Phase.WAITING,
    (Phase.WAITING, Cause.ELAPSED): Phase.DIALING,
    **{(phase, Cause.SWITCHED): Phase.DIALING for phase in Phase if phase is not Phase.CLOSED},
    **{(phase, Cause.ENDED): Phase.CLOSED for phase in Phase},
}


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection at one moment.

    ``since`` is when this phase began and ``seen`` when the instance was last connected, both
    in seconds of the caller's clock; ``attempt`` counts the dials since then and ``retry_at``
    is when the next one is due (only while WAITING).
    """

    phase: Phase = Phase.STARTING
    uri: str = ""
    since: float = 0.0
    seen: float | None = None
    attempt: int = 0
    retry_at: float | None = None
    trouble: Trouble | None = None

    @property
    def up(self) -> bool:
        """True if requests can be sent now."""
        return self.phase is Phase.UP


def step(
    old: Connection,
    cause: Cause,
    now: float,
    *,
    uri: str | None = None,
    trouble: Trouble | None = None,
) -> Connection:
    """The connection after ``cause``.

    :param uri: the target, with LOCATED and SWITCHED
    :param trouble: why, with LOST and UNLOCATED
    :raises ValueError: ``cause`` cannot happen in this phase
    """
    phase = _TRANSITIONS.get((old.phase, cause))
    if phase is None:
        raise ValueError(f"a connection that is {old.phase.name} cannot take {cause.name}")
    new = replace(old, phase=phase, since=now, retry_at=None)
    if uri is not None:
        new = replace(new, uri=uri, attempt=0, trouble=None)
    if cause is Cause.SWITCHED:
        return replace(new, seen=None)
    if phase is Phase.UP:
        return replace(new, attempt=0, trouble=None)
    if phase is Phase.WAITING:
        return _waiting(old, new, now, trouble)
    return replace(new, trouble=trouble or new.trouble)


def _waiting(old: Connection, new: Connection, now: float, trouble: Trouble | None) -> Connection:
    """``new`` with its next attempt set; the last sight of the instance is kept."""
    return replace(
        new,
        seen=now if old.up else old.seen,
        attempt=old.attempt + 1,
        retry_at=now + delay(old.attempt),
        trouble=trouble,
    )


def delay(attempt: int) -> float:
    """Seconds to wait after ``attempt`` failed dials in a row."""
    return float(min(FIRST_DELAY * 2 ** min(attempt, 16), LAST_DELAY))
