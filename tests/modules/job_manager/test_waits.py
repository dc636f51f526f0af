import errno

import pytest

from fluxcore.modules.job_manager.exits import describe_end
from support.job_manager import WAITABLE
from support.job_world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.machine.exec_online = True
    world.machine.allocation.ready(0)
    return world


def test_waiting_for_a_job(world: World) -> None:
    world.submit(1, flags=WAITABLE)
    world.waits.wait("me", world.machine.active[1])
    world.run(1)
    assert world.answers == [("me", 1)]
    assert world.waits.zombies == {}


def test_a_job_that_has_ended_waits_for_somebody(world: World) -> None:
    world.submit(1, flags=WAITABLE)
    world.run(1)
    world.waits.wait("me", world.machine.inactive[1])
    assert world.answers == [("me", 1)]
    with pytest.raises(OSError) as caught:
        world.waits.wait("again", world.machine.inactive[1])
    assert caught.value.errno == errno.ECHILD
    text = "invalid job id, or job may be inactive and not waitable"
    assert caught.value.strerror == text


def test_waiting_for_any_job(world: World) -> None:
    for jobid in (1, 2, 3):
        world.submit(jobid, flags=WAITABLE)
    world.waits.wait("two", world.machine.active[2])
    world.waits.wait_any("first")
    world.waits.wait_any("second")
    for jobid in (2, 3, 1):
        world.settle()
        world.finish(jobid)
    assert world.answers == [("two", 2), ("first", 3), ("second", 1)]


def test_more_who_wait_than_jobs(world: World) -> None:
    world.submit(1, flags=WAITABLE)
    world.waits.wait_any("first")
    world.waits.wait_any("second")
    assert world.refused == [("second", "there are no more waitable jobs")]
    world.waits.wait("one", world.machine.active[1])
    assert world.refused[1:] == [("first", "there are no more waitable jobs")]


def test_who_cannot_be_waited_for(world: World) -> None:
    world.submit(1)
    world.submit(2, flags=WAITABLE)
    world.waits.wait("me", world.machine.active[2])
    for job, text in (
        (world.machine.active[1], "job was not submitted with FLUX_JOB_WAITABLE"),
        (world.machine.active[2], "job id already has a waiter"),
        (None, "invalid job id, or job may be inactive and not waitable"),
    ):
        with pytest.raises(OSError) as caught:
            world.waits.wait("you", job)
        assert (caught.value.errno, caught.value.strerror) == (errno.ECHILD, text)


def test_who_goes_is_forgotten(world: World) -> None:
    world.submit(1, flags=WAITABLE)
    world.waits.wait("me", world.machine.active[1])
    world.waits.discard(lambda req: req == "me")
    assert world.waits.requests() == []
    world.run(1)
    assert world.answers == []
    assert world.waits.zombies.keys() == {1}


def test_how_jobs_have_ended(world: World) -> None:
    for jobid in (1, 2, 3, 4):
        world.submit(jobid)
    world.settle()
    world.finish(1)
    world.finish(2, 256)
    world.finish(4, 255 << 8)
    world.machine.raise_exception(world.machine.active[3], "cancel", 0, "by me")
    world.release(3)
    ends = [describe_end(world.machine.inactive[jobid]) for jobid in (1, 2, 3, 4)]
    assert ends == [
        (True, ""),
        (False, "task(s) exited with exit code 1"),
        (False, "Fatal exception type=cancel by me"),
        (False, "task(s) Unknown signal 127"),
    ]
