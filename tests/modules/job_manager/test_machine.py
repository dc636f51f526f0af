import pytest

from fluxcore.job import states
from fluxcore.modules.job_manager.invariants import validate_state
from fluxcore.modules.job_manager.job import EventError
from support.job_world import OWNER, World


@pytest.fixture
def world() -> World:
    world = World()
    world.machine.exec_online = True
    world.machine.allocation.ready(0)
    return world


def test_a_job_runs_to_its_end(world: World) -> None:
    assert world.submit(7) is None
    world.run(7)
    assert world.names[7] == [
        *("submit", "validate", "depend", "priority"),
        *("annotations", "alloc", "start", "finish", "release", "free", "clean"),
    ]
    job = world.machine.inactive[7]
    assert job.result == states.COMPLETED
    assert [event["name"] for event in job.events()] == [
        name for name in world.names[7] if name != "annotations"
    ]
    assert world.owned == {}
    assert world.machine.running == 0
    validate_state(world.machine)


def test_submit_has_the_time_that_the_user_was_served(world: World) -> None:
    world.submit(7)
    submitted = world.machine.active[7].events()[0]
    assert submitted["timestamp"] == world.machine.active[7].t_submit
    assert submitted["context"] == {"userid": OWNER, "urgency": 16, "flags": 0, "version": 1}


def test_nobody_hears_of_a_job_before_it_is_in_the_kvs(world: World) -> None:
    world.submit(7)
    world.turn()
    assert world.machine.active[7].state == states.SCHED
    assert world.asked == {}
    world.write_all()
    world.turn()
    assert world.asked == {7: 16}


@pytest.mark.parametrize(("urgency", "priority"), [(1, 1), (16, 16), (30, 30), (31, 2**32 - 1)])
def test_priority_is_urgency(world: World, urgency: int, priority: int) -> None:
    world.submit(7, urgency=urgency)
    assert world.machine.active[7].priority == priority


def test_a_held_job_waits_until_its_urgency_is_raised(world: World) -> None:
    world.submit(7, urgency=0)
    world.settle()
    assert world.machine.active[7].state == states.SCHED
    assert world.owned == {}
    world.machine.post(world.machine.active[7], "urgency", {"userid": 1, "urgency": 5})
    world.settle()
    assert world.owned.keys() == {7}


def test_a_job_cancelled_while_it_waits_calls_its_request_back(world: World) -> None:
    world.submit(7)
    world.write_all()
    world.turn()
    world.machine.raise_exception(world.machine.active[7], "cancel", 0, userid=OWNER)
    assert world.called_back == {7}
    assert world.machine.inactive[7].result == states.CANCELED
    assert world.names[7][-2:] == ["exception", "clean"]


def test_what_the_scheduler_gives_too_late_goes_back(world: World) -> None:
    world.submit(7)
    world.write_all()
    world.turn()
    world.machine.raise_exception(world.machine.active[7], "cancel", 0)
    world.grant(7)
    assert world.owned == {}
    assert "alloc" not in world.names[7]


def test_a_fatal_exception_ends_a_running_job_when_it_is_released(world: World) -> None:
    world.submit(7)
    world.settle()
    job = world.machine.active[7]
    world.machine.post(job, "start")
    world.machine.raise_exception(job, "timeout", 0, "too long")
    assert job.state == states.CLEANUP
    assert world.owned.keys() == {7}
    world.release(7)
    assert job.state == states.INACTIVE
    assert job.result == states.TIMEOUT
    assert world.owned == {}


def test_a_job_that_is_denied_fails(world: World) -> None:
    world.submit(7)
    world.write_all()
    world.turn()
    world.asked.clear()
    world.machine.allocation.denied(7, "unsatisfiable request")
    exception = world.machine.inactive[7].events()[-2]
    assert exception["context"] == {
        "type": "alloc",
        "severity": 0,
        "note": "unsatisfiable request",
        "userid": OWNER,
    }


def test_the_most_urgent_go_first_and_call_others_back() -> None:
    world = World()
    for jobid, urgency in ((1, 5), (2, 16), (3, 5)):
        world.submit(jobid, urgency=urgency)
    world.write_all()
    world.machine.allocation.ready(2)
    world.turn()
    assert list(world.asked) == [2, 1]
    world.submit(4, urgency=10)
    world.write_all()
    world.turn()
    assert world.called_back == {1}
    world.take_back()
    world.turn()
    assert list(world.asked) == [2, 4]
    validate_state(world.machine)


def test_jobs_wait_for_the_next_scheduler(world: World) -> None:
    for jobid in (1, 2):
        world.submit(jobid)
    world.write_all()
    world.turn()
    world.grant(1)
    world.asked.clear()
    world.machine.allocation.gone("test")
    assert [job.id for job in world.machine.allocation.queue] == [2]
    world.machine.allocation.ready(1)
    world.turn()
    assert world.asked == {2: 16}


def test_annotations_add_up_and_go(world: World) -> None:
    world.submit(7)
    world.write_all()
    world.turn()
    allocation, job = world.machine.allocation, world.machine.active[7]
    allocation.annotated(7, {"sched": {"t_estimate": 5.0, "queue": "x"}})
    world.machine.post(job, "memo", {"mine": 1})
    allocation.annotated(7, {"sched": {"t_estimate": None}})
    assert job.annotations == {"sched": {"queue": "x"}, "user": {"mine": 1}}
    world.grant(7)
    alloc = next(event for event in job.events() if event["name"] == "alloc")
    assert alloc["context"] == {"annotations": job.annotations}
    assert job.annotations["sched"] == {"queue": "x", "resource_summary": "rank0/core0"}


def test_a_job_runs_when_there_is_somebody_to_run_it() -> None:
    world = World()
    world.machine.allocation.ready(0)
    world.submit(7)
    world.settle()
    assert world.started == {}
    world.machine.exec_online = True
    world.machine.act_on(list(world.machine.active.values()))
    assert world.started == {7: False}
    world.machine.post(world.machine.active[7], "start")
    # The service is lost, and another comes: it is to look for what runs.
    world.started.clear()
    world.machine.active[7].start_pending = False
    world.machine.act_on(list(world.machine.active.values()))
    assert world.started == {7: True}


def test_a_stopped_queue_keeps_its_jobs(world: World) -> None:
    queue = world.machine.queues.find(None)
    queue.stop(None)
    world.machine.allocation.queue_stopped(queue)
    world.submit(7)
    world.settle()
    assert world.asked == {}
    queue.start()
    world.machine.allocation.queue_started(queue)
    world.settle()
    assert world.owned.keys() == {7}


def test_stopping_a_queue_calls_its_jobs_back(world: World) -> None:
    world.submit(7)
    world.write_all()
    world.turn()
    queue = world.machine.queues.find(None)
    queue.stop(None)
    world.machine.allocation.queue_stopped(queue)
    assert world.called_back == {7}
    world.take_back()
    world.turn()
    assert world.asked == {}
    assert world.machine.active[7].state == states.SCHED
    validate_state(world.machine)


def test_a_prolog_delays_the_start(world: World) -> None:
    world.submit(7)
    job = world.machine.active[7]
    world.machine.post(job, "prolog-start", {"description": "x"})
    world.settle()
    assert job.state == states.RUN
    assert world.started == {}
    world.machine.post(job, "prolog-finish", {"description": "x", "status": 0})
    assert world.started == {7: False}


def test_an_epilog_delays_the_release(world: World) -> None:
    world.submit(7)
    world.settle()
    job = world.machine.active[7]
    world.machine.post(job, "epilog-start", {"description": "x"})
    world.finish(7)
    assert world.owned.keys() == {7}
    world.machine.post(job, "epilog-finish", {"description": "x", "status": 0})
    assert world.owned == {}
    assert job.state == states.INACTIVE


def test_a_job_that_wants_to_be_told_more(world: World) -> None:
    world.submit(7, flags=2)
    world.settle()
    assert "debug.alloc-request" in world.names[7]
    assert "debug.start-request" in world.names[7]


def test_a_new_expiration_goes_to_the_execution_service(world: World) -> None:
    world.submit(7)
    world.settle()
    job = world.machine.active[7]
    world.machine.post(job, "resource-update", {"expiration": 99.0})
    assert world.expirations == [(7, 99.0)]
    assert job.r is not None
    assert job.r["execution"]["expiration"] == 99.0


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("alloc", None),
        ("validate", None),
        ("urgency", {}),
        ("urgency", {"urgency": "high"}),
        ("exception", {"type": "x"}),
        ("exception", {"type": 1, "severity": 0}),
        ("set-flags", {"flags": ["nonsense"]}),
        ("resource-update", {"expiration": 1.0}),
        ("jobspec-update", {"nonsense": 1}),
        ("dependency-add", {"description": "x"}),
    ],
)
def test_events_that_may_not_come(
    world: World, name: str, context: dict[str, object] | None
) -> None:
    world.submit(7, urgency=0)
    world.write_all()
    before = list(world.names[7])
    with pytest.raises(EventError):
        world.machine.post(world.machine.active[7], name, context)
    assert world.names[7] == before
    validate_state(world.machine)
