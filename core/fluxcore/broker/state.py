"""The broker's life as a state machine (CONTRACTS B14).

The table below is the whole of it: an event that is not listed for the current state is ignored
(and logged at debug), so that a late ``quorum-full`` or a second ``shutdown`` does no harm. What
a broker *does* on entering a state is in :mod:`~fluxcore.broker.runcontrol`.
"""

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """The states in the order they are passed, with their numbers in state-machine.monitor."""

    LOAD_BUILTINS = 0
    JOIN = 1
    CONFIG_SYNC = 2
    INIT = 3
    QUORUM = 4
    RUN = 5
    CLEANUP = 6
    SHUTDOWN = 7
    FINALIZE = 8
    GOODBYE = 9
    UNLOAD_BUILTINS = 10
    EXIT = 11

    @property
    def label(self) -> str:
        """The name as logs and state-machine.get have it."""
        return self.name.lower().replace("_", "-")


_S = State

TABLE: Final = {
    (_S.LOAD_BUILTINS, "builtins-success"): _S.JOIN,
    (_S.LOAD_BUILTINS, "builtins-fail"): _S.UNLOAD_BUILTINS,
    (_S.JOIN, "parent-ready"): _S.CONFIG_SYNC,
    (_S.JOIN, "parent-none"): _S.CONFIG_SYNC,
    (_S.JOIN, "parent-fail"): _S.SHUTDOWN,
    (_S.CONFIG_SYNC, "sync-success"): _S.INIT,
    (_S.CONFIG_SYNC, "sync-none"): _S.INIT,
    (_S.CONFIG_SYNC, "sync-fail"): _S.SHUTDOWN,
    (_S.INIT, "rc1-success"): _S.QUORUM,
    (_S.INIT, "rc1-none"): _S.QUORUM,
    (_S.INIT, "rc1-ignorefail"): _S.QUORUM,
    (_S.INIT, "rc1-fail"): _S.SHUTDOWN,
    (_S.INIT, "panic"): _S.SHUTDOWN,
    (_S.QUORUM, "quorum-full"): _S.RUN,
    (_S.QUORUM, "quorum-fail"): _S.SHUTDOWN,
    (_S.QUORUM, "panic"): _S.SHUTDOWN,
    (_S.RUN, "rc2-success"): _S.CLEANUP,
    (_S.RUN, "rc2-fail"): _S.CLEANUP,
    (_S.RUN, "rc2-none"): _S.RUN,
    (_S.RUN, "shutdown"): _S.CLEANUP,
    (_S.RUN, "parent-fail"): _S.CLEANUP,
    (_S.RUN, "panic"): _S.SHUTDOWN,
    (_S.CLEANUP, "cleanup-success"): _S.SHUTDOWN,
    (_S.CLEANUP, "cleanup-none"): _S.SHUTDOWN,
    (_S.CLEANUP, "cleanup-fail"): _S.SHUTDOWN,
    (_S.SHUTDOWN, "children-complete"): _S.FINALIZE,
    (_S.SHUTDOWN, "children-none"): _S.FINALIZE,
    (_S.FINALIZE, "rc3-success"): _S.GOODBYE,
    (_S.FINALIZE, "rc3-none"): _S.GOODBYE,
    (_S.FINALIZE, "rc3-fail"): _S.GOODBYE,
    (_S.GOODBYE, "goodbye"): _S.UNLOAD_BUILTINS,
    (_S.UNLOAD_BUILTINS, "builtins-done"): _S.EXIT,
    (_S.UNLOAD_BUILTINS, "builtins-unload-fail"): _S.EXIT,
}

#: What a broker makes of its parent's state, by its own: the event to post, if any.
_JOIN_PARENT: Final = {
    **dict.fromkeys((_S.QUORUM, _S.RUN), "parent-ready"),
    **dict.fromkeys([state for state in State if state >= _S.CLEANUP], "parent-fail"),
}
_QUORUM_PARENT: Final = {
    _S.RUN: "quorum-full",
    **dict.fromkeys([state for state in State if state >= _S.CLEANUP], "quorum-fail"),
}
_RUN_PARENT: Final = {
    _S.SHUTDOWN: "shutdown",
    **dict.fromkeys([state for state in State if state > _S.SHUTDOWN], "parent-fail"),
}
_PARENT: Final = {_S.JOIN: _JOIN_PARENT, _S.QUORUM: _QUORUM_PARENT, _S.RUN: _RUN_PARENT}
_PARENT_LOST: Final = {
    _S.JOIN: "parent-fail",
    _S.QUORUM: "quorum-fail",
    _S.RUN: "parent-fail",
}


class StateMachine:
    """The current state and where an event leads."""

    def __init__(self) -> None:
        self.state = State.LOAD_BUILTINS

    def post(self, event: str) -> State | None:
        """The state that ``event`` leads to, now current; None if it is ignored here.

        An event that leads back to the same state (rc2-none) is not ignored, and changes
        nothing.
        """
        following = TABLE.get((self.state, event))
        if following is not None:
            self.state = following
        return following

    def for_parent(self, parent: State | None) -> str | None:
        """The event to post now that the parent is in state ``parent`` (None: it is lost)."""
        if parent is None:
            return _PARENT_LOST.get(self.state)
        return _PARENT.get(self.state, {}).get(parent)
