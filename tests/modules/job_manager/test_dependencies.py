import pytest

from fluxcore.job import states
from fluxcore.modules.job_manager.invariants import validate_state
from support.job_world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.machine.exec_online = True
    world.machine.allocation.ready(0)
    return world


def after(scheme: str, value: object) -> list[dict[str, str]]:
    return [{"scheme": scheme, "value": str(value)}]


@pytest.mark.parametrize(
    ("scheme", "status", "runs"),
    [
        ("afterok", 0, True),
        ("afterok", 256, False),
        ("afternotok", 0, False),
        ("afternotok", 256, True),
        ("afterany", 0, True),
        ("afterany", 256, True),
        ("afterexcept", 256, False),
    ],
)
def test_waiting_for_the_end_of_a_job(world: World, scheme: str, status: int, runs: bool) -> None:
    world.submit(1)
    world.submit(2, dependencies=after(scheme, 1))
    world.settle()
    assert world.machine.active[2].state == states.DEPEND
    world.finish(1, status)
    world.settle()
    if runs:
        assert world.machine.active[2].state == states.RUN
        assert world.names[2][:5] == ["submit", "dependency-add", "validate", "dependency-remove",
                                      "depend"]  # fmt: skip
    else:
        job = world.machine.inactive[2]
        assert job.end is not None
        assert job.end["context"]["type"] == "dependency"
        assert job.end["context"]["note"].endswith("can never be satisfied")
    validate_state(world.machine)


def test_waiting_for_the_start(world: World) -> None:
    world.submit(1)
    world.submit(2, dependencies=after("afterstart", 1))
    world.settle()
    assert world.machine.active[2].state == states.DEPEND
    world.machine.post(world.machine.active[1], "start")
    assert world.machine.active[2].state == states.SCHED
    assert world.submit(3, dependencies=after("afterstart", 1)) is None
    assert world.machine.active[3].state == states.SCHED


def test_waiting_for_an_exception(world: World) -> None:
    world.submit(1)
    world.submit(2, dependencies=after("afterexcept", 1))
    world.settle()
    world.machine.raise_exception(world.machine.active[1], "cancel", 0)
    world.release(1)
    assert world.machine.active[2].state == states.SCHED


def test_a_job_that_never_ran_lets_only_afterany_go_on(world: World) -> None:
    world.submit(1)
    for jobid, scheme in ((2, "afterany"), (3, "afternotok"), (4, "afterexcept")):
        world.submit(jobid, dependencies=after(scheme, 1))
    world.machine.raise_exception(world.machine.active[1], "cancel", 0)
    assert world.machine.active.keys() == {2}
    for jobid, kind in ((3, "after-failure=1"), (4, "after-except=1")):
        end = world.machine.inactive[jobid].end
        assert end is not None
        assert end["context"]["note"] == f"dependency {kind} job never started"


def test_a_long_chain_ends_in_one_go(world: World) -> None:
    world.submit(1)
    for jobid in range(2, 3000):
        world.submit(jobid, dependencies=after("afterok", jobid - 1))
    world.machine.raise_exception(world.machine.active[1], "cancel", 0)
    assert not world.machine.active


@pytest.mark.parametrize(
    ("scheme", "value", "text"),
    [
        ("afterok", 123, "dependency: afterok: id 123: job not found"),
        ("afterany", "zz.z", 'dependency: afterany: "zz.z" is not a valid jobid'),
        ("afterok", 2, "dependency: afterok: job 2 failed or was canceled"),
        ("afternotok", 1, "dependency: afternotok: job 1 succeeded"),
        ("afterexcept", 1, "dependency: afterexcept: job 1: no exception"),
        ("afterstart", 3, "dependency: after: 3 never started"),
        ("afterok", 3, "dependency: after: 3 never started"),
        ("afterok", 4, "afterok: Permission denied for job 4"),
        ("nosuch", 1, 'dependency scheme "nosuch" not supported'),
        ("singleton", "", "singleton jobs require a job name"),
        ("begin-time", "soon", "Invalid begin-time=soon"),
        ("begin-time", "-1", "Invalid begin-time=-1"),
        ("begin-time", "nan", "Invalid begin-time=nan"),
    ],
)
def test_what_cannot_be_waited_for(world: World, scheme: str, value: object, text: str) -> None:
    world.submit(1)
    world.submit(2)
    world.submit(3, urgency=0)
    world.submit(4, userid=5)
    world.run(1)
    world.finish(2, 256)
    world.machine.raise_exception(world.machine.active[3], "cancel", 0)
    assert world.submit(9, dependencies=after(scheme, value)) == text
    assert 9 not in world.machine.active
    assert world.names[9][-1] == "invalidate"
    validate_state(world.machine)


def test_of_a_refused_job_nothing_is_left(world: World) -> None:
    world.submit(1)
    refusal = world.submit(2, dependencies=[*after("afterok", 1), *after("nosuch", 1)])
    assert refusal == 'dependency scheme "nosuch" not supported'
    world.run(1)  # and does not stumble over job 2
    assert world.machine.history.get(100, ":") == [1]


def test_the_deprecated_scheme_says_so(world: World) -> None:
    world.submit(1)
    world.submit(2, dependencies=after("after", 1))
    assert world.exceptions[0][1]["severity"] == 3
    assert world.machine.active[2].dependencies.keys() == {"after-start=1"}


def test_singletons_run_one_after_another(world: World) -> None:
    named = {"job": {"name": "x"}}
    world.submit(1, **named)
    for jobid in (2, 3):
        world.submit(jobid, **named, dependencies=after("singleton", ""))
    world.submit(4, job={"name": "other"}, dependencies=after("singleton", ""))
    world.submit(5, userid=7, **named, dependencies=after("singleton", ""))
    world.settle()
    running = [job.id for job in world.machine.active.values() if job.state == states.RUN]
    assert running == [1, 4, 5]
    world.finish(1)
    world.settle()
    assert world.machine.active[2].state == states.RUN
    assert world.machine.active[3].state == states.DEPEND
    world.finish(2)
    world.settle()
    assert world.machine.active[3].state == states.RUN


def test_a_cancelled_singleton_lets_the_next_one_go_on(world: World) -> None:
    named = {"job": {"name": "x"}}
    world.submit(1, **named)
    for jobid in (2, 3):
        world.submit(jobid, **named, dependencies=after("singleton", ""))
    world.machine.raise_exception(world.machine.active[2], "cancel", 0)
    world.settle()
    world.finish(1)
    assert world.machine.active[3].state == states.SCHED


def test_waiting_for_a_time(world: World) -> None:
    world.submit(1, dependencies=after("begin-time", 5000.25))
    ((job, when, description),) = world.alarms
    assert (job.id, when, description) == (1, 5000.25, "begin-time=5000.250")
    assert job.state == states.DEPEND
    world.machine.dependencies.remove(job, description)
    assert job.state == states.SCHED
