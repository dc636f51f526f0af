"""The state machine of RFC 21: the way of every kind of job, and what is refused on it."""

import pytest

from fluxcore.job import states as s

FATAL = {"type": "cancel", "severity": 0, "note": ""}
MILD = {"type": "test", "severity": 3, "note": ""}


def replay(log: str) -> list[str]:
    """The states that a job goes through; every event must be legal."""
    state, path = s.NEW, ["NEW"]
    for name in log.split():
        context = FATAL if name == "fatal" else MILD if name == "mild" else None
        event = "exception" if context else name
        assert s.refusal(state, event, context) is None
        state = s.next_state(state, event, context)
        if s.state_name(state) != path[-1]:
            path.append(s.state_name(state))
    return path


@pytest.mark.parametrize(
    ("log", "path"),
    [
        (
            "submit validate depend priority alloc start memo mild finish release free clean",
            "NEW DEPEND PRIORITY SCHED RUN CLEANUP INACTIVE",
        ),
        ("submit validate fatal clean", "NEW DEPEND CLEANUP INACTIVE"),
        ("submit invalidate", "NEW"),
        (
            "submit validate dependency-add dependency-remove depend priority urgency priority "
            "priority flux-restart fatal alloc free clean",
            "NEW DEPEND PRIORITY SCHED PRIORITY SCHED PRIORITY CLEANUP INACTIVE",
        ),
        (
            "submit validate depend priority alloc prolog-start prolog-finish fatal fatal start "
            "finish release epilog-start epilog-finish free clean",
            "NEW DEPEND PRIORITY SCHED RUN CLEANUP INACTIVE",
        ),
        (
            "submit jobspec-update validate depend priority jobspec-update priority alloc "
            "jobspec-update resource-update debug.x set-flags",
            "NEW DEPEND PRIORITY SCHED PRIORITY SCHED RUN",
        ),
    ],
)
def test_the_way_of_a_job(log: str, path: str) -> None:
    assert replay(log) == path.split()


@pytest.mark.parametrize(
    ("state", "name", "text"),
    [
        (s.NEW, "alloc", "event alloc is illegal in state NEW"),
        (s.NEW, "exception", "event exception is illegal in state NEW"),
        (s.DEPEND, "submit", "event submit is illegal in state DEPEND"),
        (s.PRIORITY, "alloc", "event alloc is illegal in state PRIORITY"),
        (s.RUN, "urgency", "event urgency is illegal in state RUN"),
        (s.RUN, "clean", "event clean is illegal in state RUN"),
        (s.INACTIVE, "exception", "job is inactive"),
        (s.INACTIVE, "unheard-of", "job is inactive"),
    ],
)
def test_what_is_refused(state: int, name: str, text: str) -> None:
    assert s.refusal(state, name, FATAL if name == "exception" else None) == text


def test_unlisted_events_move_nothing() -> None:
    for state in (s.NEW, s.SCHED, s.CLEANUP):
        assert s.refusal(state, "debug.free-request") is None
        assert s.next_state(state, "debug.free-request") == state


def test_the_table_is_sound() -> None:
    single = (s.NEW, s.DEPEND, s.PRIORITY, s.SCHED, s.RUN, s.CLEANUP, s.INACTIVE)
    for rule in s.EVENTS.values():
        assert 0 < rule.legal < 128
        for source, target in rule.moves.items():
            assert source in single
            assert target in single
            assert source & rule.legal
            assert source != s.INACTIVE, "INACTIVE is the captive state"


def test_names_both_ways() -> None:
    for number, forms in s.STATES.items():
        assert s.state_name(number) == forms[0]
        assert s.state_letters(number) == forms[1]
        for form in forms:
            assert s.parse_state(form) == s.parse_state(form.lower()) == number
    for number, forms in s.RESULTS.items():
        assert s.result_name(number) == forms[0]
        assert s.result_letters(number) == forms[1]
        assert s.parse_result(forms[0].lower()) == number
    assert (s.PENDING, s.RUNNING, s.ACTIVE) == (14, 48, 62)


def test_numbers_that_name_nothing() -> None:
    assert (s.state_name(3), s.state_letters(3)) == ("(unknown)", "?")
    assert (s.result_name(0), s.result_letters(0)) == ("(unknown)", "?")
    with pytest.raises(ValueError, match="invalid job state 'x'"):
        s.parse_state("x")
    with pytest.raises(ValueError, match="invalid job result 'x'"):
        s.parse_result("x")


def test_the_status_column() -> None:
    assert s.status_letters(s.RUN, None) == "R"
    assert s.status_letters(s.INACTIVE, s.CANCELED) == "CA"
    assert s.status_letters(s.INACTIVE, None) == "I"
