"""The broker's life: every transition, and nothing else (CONTRACTS B14)."""

import pytest

from fluxcore.broker.state import TABLE, State, StateMachine

UP = "builtins-success parent-none sync-none rc1-success quorum-full"
DOWN = "cleanup-success children-none rc3-success goodbye builtins-done"


def play(events: str) -> list[str]:
    """The states that a life of these events passes through."""
    machine, passed = StateMachine(), []
    for event in events.split():
        after = machine.post(event)
        passed.append(after.label if after is not None else "ignored")
    return passed


def test_the_life_of_a_leader() -> None:
    assert play(f"{UP} rc2-success {DOWN}") == [
        "join",
        "config-sync",
        "init",
        "quorum",
        "run",
        "cleanup",
        "shutdown",
        "finalize",
        "goodbye",
        "unload-builtins",
        "exit",
    ]


@pytest.mark.parametrize(
    ("story", "ends"),
    [
        ("builtins-fail", "unload-builtins"),
        ("builtins-success parent-ready", "config-sync"),
        ("builtins-success parent-fail", "shutdown"),
        ("builtins-success parent-none sync-success", "init"),
        ("builtins-success parent-none sync-fail", "shutdown"),
        ("builtins-success parent-none sync-none rc1-none", "quorum"),
        ("builtins-success parent-none sync-none rc1-ignorefail", "quorum"),
        ("builtins-success parent-none sync-none rc1-fail", "shutdown"),
        ("builtins-success parent-none sync-none panic", "shutdown"),
        ("builtins-success parent-none sync-none rc1-none quorum-fail", "shutdown"),
        ("builtins-success parent-none sync-none rc1-none panic", "shutdown"),
        (f"{UP} rc2-none", "run"),
        (f"{UP} rc2-fail", "cleanup"),
        (f"{UP} shutdown", "cleanup"),
        (f"{UP} parent-fail", "cleanup"),
        (f"{UP} panic", "shutdown"),
        (f"{UP} shutdown cleanup-fail", "shutdown"),
        (f"{UP} shutdown cleanup-none", "shutdown"),
        (f"{UP} panic children-complete", "finalize"),
        (f"{UP} panic children-none rc3-none", "goodbye"),
        (f"{UP} panic children-none rc3-fail", "goodbye"),
        (f"{UP} rc2-none {DOWN}".replace("cleanup-success", "shutdown cleanup-success"), "exit"),
        (f"{UP} panic children-none rc3-none goodbye builtins-unload-fail", "exit"),
    ],
)
def test_other_lives(story: str, ends: str) -> None:
    assert play(story)[-1] == ends


def test_what_is_not_in_the_table_is_ignored() -> None:
    events = {event for _state, event in TABLE} | {"", "nonsense"}
    for state in State:
        for event in events:
            machine = StateMachine()
            machine.state = state
            after = machine.post(event)
            assert after == TABLE.get((state, event))
            assert machine.state is (after if after is not None else state)


def test_the_way_is_forward_only() -> None:
    for (before, event), after in TABLE.items():
        assert after > before or (before, event, after) == (State.RUN, "rc2-none", State.RUN)


def test_every_life_can_end() -> None:
    """From each state some events lead to exit."""
    leads = {state: {after for (s, _e), after in TABLE.items() if s is state} for state in State}
    ends = {State.EXIT}
    for _ in State:
        ends |= {state for state, nexts in leads.items() if nexts & ends}
    assert ends == set(State)


#: What a broker makes of its parent's state: in JOIN, QUORUM and RUN.
PARENT = {
    None: ("parent-fail", "quorum-fail", "parent-fail"),
    State.LOAD_BUILTINS: (None, None, None),
    State.JOIN: (None, None, None),
    State.CONFIG_SYNC: (None, None, None),
    State.INIT: (None, None, None),
    State.QUORUM: ("parent-ready", None, None),
    State.RUN: ("parent-ready", "quorum-full", None),
    State.CLEANUP: ("parent-fail", "quorum-fail", None),
    State.SHUTDOWN: ("parent-fail", "quorum-fail", "shutdown"),
    State.FINALIZE: ("parent-fail", "quorum-fail", "parent-fail"),
    State.GOODBYE: ("parent-fail", "quorum-fail", "parent-fail"),
    State.UNLOAD_BUILTINS: ("parent-fail", "quorum-fail", "parent-fail"),
    State.EXIT: ("parent-fail", "quorum-fail", "parent-fail"),
}


@pytest.mark.parametrize("parent", [None, *State])
def test_what_the_parents_state_means(parent: State | None) -> None:
    expected = dict(zip((State.JOIN, State.QUORUM, State.RUN), PARENT[parent], strict=True))
    for state in State:
        machine = StateMachine()
        machine.state = state
        event = machine.for_parent(parent)
        assert event == expected.get(state)
        assert event is None or machine.post(event) is not None, "it leads somewhere"


def test_the_numbers_on_the_wire() -> None:
    """CONTRACTS A40."""
    labels = "load-builtins join config-sync init quorum run cleanup shutdown finalize"
    assert [state.value for state in State] == list(range(12))
    assert " ".join(s.label for s in State) == f"{labels} goodbye unload-builtins exit"
