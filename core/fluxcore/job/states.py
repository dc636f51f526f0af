"""Job states and results, and the events that move a job (RFC 21, CONTRACTS D4).

A state is a number with one bit, so that a set of states is their sum. The table at the end,
:data:`EVENTS`, is the state machine: for each event the states in which it may be posted and
the moves that it makes. The job manager, job-list and the console all read this one table.

::

    NEW -validate-> DEPEND -depend-> PRIORITY -priority-> SCHED -alloc-> RUN -finish-> CLEANUP
    -clean-> INACTIVE;  SCHED goes back to PRIORITY when what its priority is made of changes;
    an exception of severity 0 takes any state from DEPEND on to CLEANUP
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# -- states ---------------------------------------------------------------------------------

NEW: Final = 1
DEPEND: Final = 2
PRIORITY: Final = 4
SCHED: Final = 8
RUN: Final = 16
CLEANUP: Final = 32
INACTIVE: Final = 64

#: Virtual states (RFC 21): sets of states that users speak of.
PENDING: Final = DEPEND | PRIORITY | SCHED
RUNNING: Final = RUN | CLEANUP
ACTIVE: Final = PENDING | RUNNING

#: The name and the letters of each state, virtual ones included.
STATES: Final[Mapping[int, tuple[str, str]]] = {
    NEW: ("NEW", "N"),
    DEPEND: ("DEPEND", "D"),
    PRIORITY: ("PRIORITY", "P"),
    SCHED: ("SCHED", "S"),
    RUN: ("RUN", "R"),
    CLEANUP: ("CLEANUP", "C"),
    INACTIVE: ("INACTIVE", "I"),
    PENDING: ("PENDING", "PD"),
    RUNNING: ("RUNNING", "RU"),
    ACTIVE: ("ACTIVE", "A"),
}

# -- results --------------------------------------------------------------------------------

COMPLETED: Final = 1
FAILED: Final = 2
CANCELED: Final = 4
TIMEOUT: Final = 8

#: The name and the letters of each result.
RESULTS: Final[Mapping[int, tuple[str, str]]] = {
    COMPLETED: ("COMPLETED", "CD"),
    FAILED: ("FAILED", "F"),
    CANCELED: ("CANCELED", "CA"),
    TIMEOUT: ("TIMEOUT", "TO"),
}


def state_name(state: int) -> str:
    """The name of a state: ``DEPEND``; "(unknown)" for a number that is none."""
    return STATES[state][0] if state in STATES else "(unknown)"


def state_letters(state: int) -> str:
    """The short form of a state: ``D``; "?" for a number that is none."""
    return STATES[state][1] if state in STATES else "?"


def result_name(result: int) -> str:
    """The name of a result: ``COMPLETED``; "(unknown)" for a number that is none."""
    return RESULTS[result][0] if result in RESULTS else "(unknown)"


def result_letters(result: int) -> str:
    """The short form of a result: ``CD``; "?" for a number that is none."""
    return RESULTS[result][1] if result in RESULTS else "?"


def status_letters(state: int, result: int | None) -> str:
    """What the column ST of ``flux jobs`` shows: the result once there is one, else the state."""
    if state == INACTIVE and result is not None:
        return result_letters(result)
    return state_letters(state)


def parse_state(text: str) -> int:
    """The state that ``text`` names, in long or short form, however capitalised.

    :raises ValueError: it names none
    """
    return _parse(text, STATES, "state")


def parse_result(text: str) -> int:
    """The result that ``text`` names, in long or short form, however capitalised.

    :raises ValueError: it names none
    """
    return _parse(text, RESULTS, "result")


def _parse(text: str, names: Mapping[int, tuple[str, str]], what: str) -> int:
    for number, forms in names.items():
        if text.upper() in forms:
            return number
    raise ValueError(f"invalid job {what} '{text}'")


# -- the state machine ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """What RFC 21 says about an event: the states it may come in, and its moves between them."""

    legal: int
    moves: Mapping[int, int] = field(default_factory=dict)


def next_state(state: int, name: str, context: Mapping[str, Any] | None = None) -> int:
    """The state of a job in ``state`` after an event; the same if the event moves nothing.

    It believes the log: to replay one, or to follow it, call this with every event in turn,
    beginning in NEW.
    """
    rule = EVENTS.get(_rule_name(name, context))
    return rule.moves.get(state, state) if rule is not None else state


def refusal(state: int, name: str, context: Mapping[str, Any] | None = None) -> str | None:
    """Why an event must not be posted to a job in ``state``, or None if it may.

    An event that RFC 21 does not list may come in any state but INACTIVE.
    """
    rule = EVENTS.get(_rule_name(name, context))
    legal = rule.legal if rule is not None else NEW | ACTIVE
    if state & legal:
        return None
    if state == INACTIVE:
        return "job is inactive"
    return f"event {name} is illegal in state {state_name(state)}"


def _rule_name(name: str, context: Mapping[str, Any] | None) -> str:
    if name == "exception" and context is not None and context.get("severity") == 0:
        return "exception severity=0"
    return name


_RECALCULATE: Final = {SCHED: PRIORITY}
_KILL: Final = {DEPEND: CLEANUP, PRIORITY: CLEANUP, SCHED: CLEANUP, RUN: CLEANUP}

#: The state machine. ``exception severity=0`` is the event ``exception`` with that context.
#:
#: CLEANUP takes most of what RUN does: a fatal exception can overtake an allocation or the
#: start of the shells, and both are still logged.
EVENTS: Final[Mapping[str, Rule]] = {
    "submit": Rule(NEW),
    "validate": Rule(NEW, {NEW: DEPEND}),
    "invalidate": Rule(NEW),
    "dependency-add": Rule(NEW | DEPEND),
    "dependency-remove": Rule(NEW | DEPEND),
    "depend": Rule(DEPEND, {DEPEND: PRIORITY}),
    "priority": Rule(PRIORITY | SCHED, {PRIORITY: SCHED}),
    "urgency": Rule(NEW | PENDING, _RECALCULATE),
    "jobspec-update": Rule(NEW | PENDING | RUN, _RECALCULATE),
    "flux-restart": Rule(ACTIVE, _RECALCULATE),
    "alloc": Rule(SCHED | CLEANUP, {SCHED: RUN}),
    "resource-update": Rule(RUN | CLEANUP),
    "prolog-start": Rule(PENDING | RUN),
    "prolog-finish": Rule(PENDING | RUN | CLEANUP),
    "start": Rule(RUN | CLEANUP),
    "finish": Rule(RUN | CLEANUP, {RUN: CLEANUP}),
    "release": Rule(RUN | CLEANUP),
    "epilog-start": Rule(RUN | CLEANUP),
    "epilog-finish": Rule(CLEANUP),
    "free": Rule(CLEANUP),
    "clean": Rule(CLEANUP, {CLEANUP: INACTIVE}),
    "exception": Rule(NEW | ACTIVE),
    "exception severity=0": Rule(ACTIVE, _KILL),
    "memo": Rule(NEW | ACTIVE),
    "set-flags": Rule(NEW | ACTIVE),
}
