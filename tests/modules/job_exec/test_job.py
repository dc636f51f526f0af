"""The life of a job without IO: how it runs, fails, is ended and lost."""

import signal

import pytest

from fluxcore.modules.job_exec.mock import MockTest
from fluxcore.resource.idset import IdSet
from fluxcore.shell.options import ShellOptions
from support.exec_job import POLICY, World, finish, layout, make_job, names, running


def test_a_job_runs() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    assert world.started == 1
    job.reports(0, [layout(2), ("started", {})], 1.0)
    assert world.answers == []
    job.reports(1, [("started", {})], 1.0)
    assert world.answers == [("start", {})]
    finish(job, 1)
    assert world.told == [([0], "alone", {})]
    assert world.answers == [("start", {})]
    finish(job, 0, 256)
    assert world.answers == [("start", {}), ("finish", {"status": 256})]
    assert world.finalized == 1
    assert names(job) == [
        *("starting", "shell.init", "shell.start", "shell.task-exit"),
        *("shell-exit", "complete", "done"),
    ]


def test_an_exception_before_its_start() -> None:
    world = World()
    job = make_job(world)
    job.exception("cancel", None, 1.0)
    assert world.answers == []
    assert world.finalized == 1
    job.ready(1.0)  # the namespace has come too late
    assert world.started == 0


def test_an_exception_ends_it_step_by_step() -> None:
    world = World()
    job = running(world)
    job.exception("cancel", None, 11.0)
    assert world.signals == [signal.SIGTERM]
    assert world.timers == {"kill": 5.0, "give-up": POLICY.give_up_after}
    job.expired("kill", 16.0)
    job.expired("kill", 21.0)
    assert world.signals == [signal.SIGTERM, signal.SIGKILL, signal.SIGKILL]
    finish(job, 0, 9)
    assert world.said("finish") == [{"status": 9}]
    assert world.timers == {}


def test_a_second_exception_signals_again_and_no_more() -> None:
    world = World()
    job = running(world)
    job.exception("cancel", None, 11.0)
    world.timers.clear()
    job.exception("timeout", None, 11.0)
    assert world.signals == [signal.SIGTERM, signal.SIGTERM]
    assert world.timers == {}


def test_its_own_exception_comes_back() -> None:
    world = World()
    job = running(world)
    job.fail("some reason", 11.0)
    job.exception("exec", None, 11.0)
    assert world.said("exception") == [{"severity": 0, "type": "exec", "note": "some reason"}]
    assert world.signals == [signal.SIGTERM]
    job.exception("exec", None, 12.0)  # this is another
    assert world.signals == [signal.SIGTERM, signal.SIGTERM]


def test_only_the_first_failure_is_told() -> None:
    world = World()
    job = running(world, (0, 1))
    job.fail("one", 11.0)
    job.fail("two", 11.0)
    assert [data["note"] for data in world.said("exception")] == ["one"]


def test_a_failed_job_has_not_succeeded() -> None:
    world = World()
    job = running(world)
    job.fail("reason", 11.0)
    finish(job, 0, 0)
    assert world.said("finish") == [{"status": 256}]


@pytest.mark.parametrize(
    ("given", "status"),
    # The last ones are of no process that has ended.
    [(0, 256), (9, 137 << 8), (3 << 8, 3 << 8), (0x137F, 256), (2**40, 256)],
)
def test_an_exception_may_say_the_status(given: int, status: int) -> None:
    world = World()
    job = running(world)
    job.exception("cancel", given, 11.0)
    assert world.signals == [signal.SIGTERM]
    finish(job, 0, 15)
    assert world.said("finish") == [{"status": status}]


def test_what_cannot_be_killed_is_left_and_its_node_drained() -> None:
    world = World()
    job = running(world, (0, 3))
    finish(job, 0, 0)
    job.exception("cancel", None, 11.0)
    job.expired("give-up", 700.0)
    assert world.drained == [("3", "unkillable user processes for job ƒNH")]
    assert world.said("finish") == [{"status": 1}]
    assert world.finalized == 1
    finish(job, 3, 9)  # at last
    job.lost(3, None, 900.0)
    assert world.finalized == 1


def test_a_mocked_job_may_be_signalled_by_nothing() -> None:
    world = World()
    job = make_job(world, mock=MockTest(5.0, 512))
    job.ready(1.0)
    assert world.timers == {"mock": 5.0}
    job.expired("mock", 6.0)
    assert world.said("finish") == [{"status": 512}]
    assert world.told == []


def test_a_lost_rank_is_fatal_if_it_is_needed() -> None:
    world = World()
    job = running(world, (0, 1))
    job.lost(1, None, 11.0)
    (said,) = world.said("exception")
    assert said == {"severity": 0, "type": "exec", "note": "node failure on host1 (rank 1)"}
    assert ([0], "alone", {}) in world.told
    finish(job, 0, 15)
    assert world.said("finish") == [{"status": 15}]


def test_a_lost_rank_that_is_not_needed_is_told_of() -> None:
    world = World()
    options = ShellOptions(exit_timeout=3.0)
    job = running(world, (0, 1), options=options)
    job.critical = IdSet([0])
    job.lost(1, None, 11.0)
    (said,) = world.said("exception")
    assert (said["type"], said["severity"]) == ("node-failure", 2)
    assert world.timers == {"exit": 3.0}
    job.expired("exit", 14.0)
    assert world.said("exception")[1]["note"] == (
        "prog: shell rank 1 on host host1 exited and exit-timeout=3s has expired"
    )


def test_a_rank_is_lost_before_all_have_started() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    job.reports(0, [layout(2), ("started", {})], 1.0)
    job.lost(1, "no reason", 2.0)
    assert [kind for kind, _ in world.answers] == ["exception", "start"]
    finish(job, 0, 15)
    assert world.finalized == 1
