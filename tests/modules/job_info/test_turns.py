import heapq
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.modules.job_info.turns import Turns
from fluxcore.wire.message import Message, request

JOB = 1234


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Clock:
    """The clock and the timers of a loop."""

    def __init__(self) -> None:
        self.now = 50.0
        self._timers: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, function: Callable[..., None], *args: Any) -> Timer:
        timer = Timer(lambda: function(*args))
        heapq.heappush(self._timers, (when, len(self._timers), timer))
        return timer

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        while self._timers and self._timers[0][0] <= self.now:
            call = heapq.heappop(self._timers)[2].call
            if call is not None:
                call()

    @property
    def pending(self) -> int:
        return sum(timer.call is not None for *_, timer in self._timers)


def asked(who: str) -> Message:
    return request("job-info.eventlog-watch", matchtag=1).with_routes((who,))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(clock)  # type: ignore[arg-type]


ME, OTHER = asked("me"), asked("other")


def test_who_does_not_ask_for_output_waits_a_moment(
    turns: Turns, clock: Clock, told: list[str]
) -> None:
    turns.wait(ME, JOB, lambda: told.append("end"))
    clock.pass_time(0.02)
    assert told == []
    clock.pass_time(0.02)
    assert told == ["end"]
    assert clock.pending == 0


def test_the_end_comes_with_the_end_of_the_output(
    turns: Turns, clock: Clock, told: list[str]
) -> None:
    turns.opened(ME, JOB)
    turns.wait(ME, JOB, lambda: told.append("end"))
    clock.pass_time(0.5)
    turns.opened(ME, JOB)
    turns.ended(ME, JOB, "exec.eventlog")
    assert (turns.follows(ME, JOB), turns.follows(OTHER, JOB)) == (True, False)
    clock.pass_time(0.4)
    assert told == []
    turns.ended(ME, JOB, "output")
    assert told == ["end"]
    assert clock.pending == 0


def test_a_client_may_take_a_moment_from_log_to_log(
    turns: Turns, clock: Clock, told: list[str]
) -> None:
    turns.wait(ME, JOB, lambda: told.append("end"))
    clock.pass_time(0.02)
    turns.opened(ME, JOB)
    turns.ended(ME, JOB, "exec.eventlog")
    clock.pass_time(0.02)
    assert told == []
    clock.pass_time(0.02)
    assert told == ["end"]


def test_what_never_ends_is_not_waited_for(turns: Turns, clock: Clock, told: list[str]) -> None:
    turns.opened(ME, JOB)
    turns.wait(ME, JOB, lambda: told.append("end"))
    clock.pass_time(1.1)
    assert told == ["end"]
    turns.ended(ME, JOB, "output")
    assert told == ["end"]


def test_other_clients_and_jobs_are_their_own(turns: Turns, clock: Clock, told: list[str]) -> None:
    turns.opened(ME, JOB)
    turns.opened(ME, JOB + 1)
    turns.opened(OTHER, JOB)
    turns.wait(ME, JOB, lambda: told.append("mine"))
    turns.wait(OTHER, JOB, lambda: told.append("other's"))
    turns.ended(ME, JOB + 1, "output")
    assert told == []
    turns.ended(OTHER, JOB, "output")
    assert told == ["other's"]
    turns.ended(ME, JOB, "output")
    assert told == ["other's", "mine"]


def test_who_is_gone_is_not_told(turns: Turns, clock: Clock, told: list[str]) -> None:
    def end() -> None:
        told.append("end")

    def other_end() -> None:
        told.append("other end")

    turns.wait(ME, JOB, end)
    turns.wait(ME, JOB, other_end)
    turns.forget(ME, JOB, end)
    clock.pass_time(1)
    assert told == ["other end"]
    turns.wait(ME, JOB, end)
    turns.forget(ME, JOB, end)
    turns.forget(ME, JOB, end)
    assert clock.pending == 0
