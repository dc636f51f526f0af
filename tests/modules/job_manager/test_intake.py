"""What is submitted, and what is found after a restart."""

from typing import Any

import pytest

from fluxcore.job import states
from fluxcore.modules.job_manager.history import History
from fluxcore.modules.job_manager.intake import replay
from fluxcore.modules.job_manager.invariants import validate_state
from fluxcore.modules.job_manager.job import EventError, Job
from fluxcore.wire.errors import PayloadError
from support.job_world import OWNER, World, jobspec


def reborn(world: World) -> World:
    """The same instance after a restart: all that is left are eventlogs, jobspecs and Rs."""
    again = World()
    again.owned = dict(world.owned)
    again.now = world.now
    jobs = [*world.machine.active.values(), *world.machine.inactive.values()]
    logs = [(job.id, job.events(), jobspec(**job.system), job.r) for job in jobs]
    again.intake.load(
        [replay(*log, b"".join(job.eventlog)) for log, job in zip(logs, jobs, strict=True)]
    )
    return again


@pytest.fixture
def world() -> World:
    world = World()
    world.machine.exec_online = True
    world.machine.allocation.ready(0)
    return world


def test_jobs_go_on_after_a_restart(world: World) -> None:
    for jobid in range(1, 7):
        world.submit(jobid, urgency=0 if jobid == 4 else 16, flags=4)
    world.submit(9, dependencies=[{"scheme": "afterok", "value": "2"}])
    world.write_all()
    world.turn()
    for jobid in (1, 2, 3):
        world.grant(jobid)
    world.finish(1, 256)
    world.machine.post(world.machine.active[2], "start")
    world.machine.raise_exception(world.machine.active[3], "cancel", 0)
    again = reborn(world)
    machine = again.machine
    validate_state(machine)
    assert {job.id: job.state for job in machine.active.values()} == {
        2: states.RUN,
        4: states.SCHED,
        5: states.SCHED,
        6: states.SCHED,
        9: states.DEPEND,
    }
    assert machine.max_jobid == 9
    # Job 3 had been cancelled: there is nobody who still runs it.
    assert machine.inactive.keys() == {1, 3}
    assert again.waits.zombies.keys() == {1, 3}
    assert again.names[5] == ["flux-restart", "priority"]
    assert machine.history.get(OWNER, ":") == [9, 6, 5, 4, 3, 2, 1]
    machine.allocation.ready(0)
    machine.exec_online = True
    machine.act_on(list(machine.active.values()))
    assert again.started == {2: True}
    again.finish(2)
    again.settle()
    assert machine.active[9].state == states.RUN


def test_a_job_that_was_just_accepted_is_not_lost() -> None:
    world = World()
    world.submit(1)
    submitted = world.machine.active[1].events()[:1]
    again = World()
    again.intake.load([replay(1, submitted, jobspec(), None, b"")])
    assert again.names[1] == ["validate", "depend", "priority"]


def test_an_r_that_nobody_was_told_of_does_not_count() -> None:
    world = World()
    world.submit(1)
    job = replay(1, world.machine.active[1].events(), jobspec(), {"execution": {}}, b"")
    assert job.r is None


def test_a_dependency_that_cannot_be_met_any_more_is_told() -> None:
    world = World()
    world.submit(1)
    world.submit(2, dependencies=[{"scheme": "afterok", "value": "1"}])
    job = world.machine.active[2]
    again = World()
    again.intake.load([replay(2, job.events(), job.jobspec, None, b"")])
    ((_, exception),) = again.exceptions
    assert exception["severity"] == 4
    assert exception["note"] == (
        "dependency: afterok: id 1: job not found (job may be stuck in DEPEND state)"
    )
    assert again.machine.active[2].state == states.DEPEND


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "first event is nothing not submit"),
        ([{"timestamp": 1.0, "name": "validate"}], "first event is validate not submit"),
        (
            [{"timestamp": 1.0, "name": "submit", "context": {"version": 2}}],
            "eventlog v2 is unsupported",
        ),
        (
            [{"timestamp": 1.0, "name": "submit", "context": {"userid": 1}}],
            "could not apply submit: malformed context of event submit",
        ),
    ],
)
def test_logs_that_are_none(events: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(EventError) as caught:
        replay(1, events, jobspec(), None, b"")
    assert str(caught.value) == why


@pytest.mark.parametrize("key", ["id", "userid", "urgency", "flags", "t_submit", "jobspec"])
def test_a_malformed_submission(key: str) -> None:
    entry = {"id": 1, "userid": 1, "urgency": 1, "flags": 0, "t_submit": 1.5, "jobspec": {}}
    world = World()
    with pytest.raises(PayloadError):
        world.intake.submit({**entry, key: None})
    assert not world.machine.active


def test_a_jobspec_that_was_not_checked_does_no_harm() -> None:
    world = World()
    for jobid, spec in enumerate(({}, {"attributes": 1}, {"attributes": {"system": []}})):
        entry = {"id": jobid, "userid": 1, "urgency": 1, "flags": 0, "t_submit": 1, "jobspec": spec}
        assert world.intake.submit(entry)[1] is None
    validate_state(world.machine)


def test_history_by_slices() -> None:
    history = History()
    for jobid in (1, 2, 3, 5, 4):
        job = Job(jobid, {})
        job.t_submit, job.userid = float(jobid), 9
        history.add(job)
    for text, jobs in (
        ("[:1]", [5]),
        (":", [5, 4, 3, 2, 1]),
        ("[1:3]", [4, 3]),
        ("[::-1]", [1, 2, 3, 4, 5]),
        ("[-2:]", [2, 1]),
        ("[10:20]", []),
    ):
        assert history.get(9, text) == jobs, text
    assert history.get(1, ":") == []
    gone = Job(3, {})
    gone.t_submit, gone.userid = 3.0, 9
    history.remove(gone)
    assert history.get(9, ":") == [5, 4, 2, 1]
    for text in ("", "1", "[a:b]", "[::0]", "[1:2:3:4]"):
        with pytest.raises(ValueError):
            history.get(9, text)
