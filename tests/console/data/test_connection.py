import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxtop.data.connection import (
    FIRST_DELAY,
    LAST_DELAY,
    Cause,
    Connection,
    Phase,
    delay,
    step,
)
from fluxtop.data.trouble import Trouble

GONE = Trouble(104, "Connection reset by peer")


def run(*causes: Cause, now: float = 100.0) -> Connection:
    connection = Connection(since=now)
    for cause in causes:
        uri = "local:///a" if cause in (Cause.LOCATED, Cause.SWITCHED) else None
        trouble = GONE if cause in (Cause.LOST, Cause.UNLOCATED) else None
        connection = step(connection, cause, now, uri=uri, trouble=trouble)
    return connection


def test_a_connection_comes_up_from_its_start():
    connection = run(Cause.LOCATED, Cause.ANSWERED)
    assert connection.up
    assert connection.uri == "local:///a"
    assert connection.trouble is None


def test_a_lost_connection_is_dialled_again_and_says_when():
    connection = run(Cause.LOCATED, Cause.ANSWERED, Cause.LOST)
    assert connection.phase is Phase.WAITING
    assert connection.retry_at == 100.0 + FIRST_DELAY
    assert connection.seen == 100.0
    assert connection.trouble == GONE


def test_each_further_attempt_waits_longer_and_keeps_the_last_sight():
    connection = run(Cause.LOCATED, Cause.ANSWERED, Cause.LOST)
    waits = []
    for now in range(200, 210):
        connection = step(connection, Cause.ELAPSED, now)
        connection = step(connection, Cause.LOST, now, trouble=GONE)
        assert connection.retry_at is not None
        waits.append(connection.retry_at - now)
        assert connection.seen == 100.0
    assert waits == sorted(waits)
    assert waits[-1] == LAST_DELAY


def test_an_answer_ends_the_back_off():
    lost = run(Cause.LOCATED, Cause.LOST, Cause.ELAPSED, Cause.LOST)
    assert lost.attempt == 2
    up = step(step(lost, Cause.ELAPSED, 101.0), Cause.ANSWERED, 101.0)
    assert up.attempt == 0
    assert step(up, Cause.LOST, 102.0, trouble=GONE).retry_at == 102.0 + FIRST_DELAY


@pytest.mark.parametrize(
    "causes",
    [
        (),
        (Cause.LOCATED,),
        (Cause.LOCATED, Cause.ANSWERED),
        (Cause.LOCATED, Cause.LOST),
        (Cause.UNLOCATED,),
    ],
)
def test_another_instance_can_be_chosen_in_every_phase(causes):
    connection = step(run(*causes), Cause.SWITCHED, 200.0, uri="local:///b")
    assert connection.phase is Phase.DIALING
    assert connection.uri == "local:///b"
    assert connection.trouble is None
    assert connection.seen is None


def test_an_instance_that_did_not_start_says_why():
    assert run(Cause.UNLOCATED).trouble == GONE
    assert run(Cause.UNLOCATED).phase is Phase.FAILED


def test_the_end_is_the_end():
    closed = run(Cause.LOCATED, Cause.ENDED)
    for cause in Cause:
        if cause is not Cause.ENDED:
            with pytest.raises(ValueError, match=cause.name):
                step(closed, cause, 1.0)


@given(st.lists(st.sampled_from(Cause)))
def test_whatever_happens_a_retry_is_due_exactly_while_waiting(causes):
    connection = Connection()
    for now, cause in enumerate(causes):
        try:
            connection = step(connection, cause, now, uri="local:///x", trouble=GONE)
        except ValueError:
            continue
        assert (connection.retry_at is not None) == (connection.phase is Phase.WAITING)


@given(st.integers(0, 10_000))
def test_delays_are_bounded(attempt):
    assert FIRST_DELAY <= delay(attempt) <= LAST_DELAY
