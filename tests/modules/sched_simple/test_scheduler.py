from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job.jobspec import JobspecError
from fluxcore.modules.sched_simple.options import Options, parse_options
from fluxcore.modules.sched_simple.scheduler import Allocated, Denied, Scheduler
from fluxcore.resource.idset import IdSet
from fluxcore.resource.request import UnsatisfiableError
from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node
from support.job_instance import error_of


def spec(cores: int = 1, nodes: int = 0, **system: Any) -> dict[str, Any]:
    slot = {
        "type": "slot",
        "count": 1,
        "label": "task",
        "with": [{"type": "core", "count": cores}],
    }
    resources = [{"type": "node", "count": nodes, "with": [slot]}] if nodes else [slot]
    return {
        "version": 1,
        "resources": resources,
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, **system}},
    }


def scheduler(nodes: int = 2, cores: int = 2) -> Scheduler:
    inventory = ResourceSet({rank: Node(f"h{rank}", (1 << cores) - 1, 0) for rank in range(nodes)})
    made = Scheduler(inventory)
    made.pool.mark_up(inventory.ranks)
    return made


def ids(decisions: list[Allocated | Denied]) -> list[int]:
    return [decision.id for decision in decisions]


def test_the_most_urgent_first_then_the_oldest() -> None:
    sched = scheduler()
    for jobid, priority in ((1, 5), (2, 16), (3, 5), (4, 16)):
        sched.alloc(jobid, priority, spec())
    assert ids(list(sched.schedule(0.0))) == [2, 4, 1, 3]


def test_nobody_overtakes_the_first() -> None:
    sched = scheduler(nodes=1)
    sched.alloc(1, 16, spec(cores=1))
    sched.alloc(2, 16, spec(cores=2))
    sched.alloc(3, 16, spec(cores=1))
    (first,) = sched.schedule(0.0)
    assert isinstance(first, Allocated)
    assert list(sched.schedule(0.0)) == []
    sched.free(1, first.rset, final=True)
    assert ids(list(sched.schedule(0.0))) == [2]


def test_what_can_never_be_is_denied_and_stops_nobody() -> None:
    sched = scheduler()
    sched.alloc(1, 16, spec(nodes=9))
    sched.alloc(2, 16, spec())
    denied, allocated = sched.schedule(0.0)
    assert denied == Denied(
        1, "unsatisfiable request: need 9 node(s) with 1 cores each, only 2 eligible"
    )
    assert allocated.id == 2


def test_a_jobspec_that_is_none_is_denied() -> None:
    sched = scheduler()
    assert sched.alloc(1, 16, {"version": 1}) == Denied(
        1, "cannot parse jobspec: Missing key (resources)"
    )
    assert len(sched.queue) == 0


def test_nothing_is_given_before_it_is_up() -> None:
    inventory = ResourceSet({0: Node("h", 3, 0)})
    sched = Scheduler(inventory)
    sched.alloc(1, 16, spec())
    assert list(sched.schedule(0.0)) == []
    sched.pool.mark_up(IdSet([0]))
    assert ids(list(sched.schedule(0.0))) == [1]


def test_times_of_an_allocation() -> None:
    sched = scheduler()
    sched.alloc(1, 16, spec(duration=60.0))
    sched.alloc(2, 16, spec())
    first, second = sched.schedule(1000.0)
    assert isinstance(first, Allocated)
    assert isinstance(second, Allocated)
    assert (first.rset.starttime, first.rset.expiration) == (1000.0, 1060.0)
    assert (second.rset.starttime, second.rset.expiration) == (1000.0, 0.0)


def test_cancelling_and_reordering() -> None:
    sched = scheduler(nodes=1, cores=1)
    for jobid in (1, 2, 3):
        sched.alloc(jobid, 16, spec())
    assert sched.cancel(1)
    assert not sched.cancel(1)
    sched.prioritize([(3, 20), (99, 1)])
    assert ids(list(sched.schedule(0.0))) == [3]


def test_constraints() -> None:
    sched = scheduler()
    sched.alloc(1, 16, spec(constraints={"hostlist": ["h1"]}))
    (allocated,) = sched.schedule(0.0)
    assert isinstance(allocated, Allocated)
    assert list(allocated.rset.nodes) == [1]
    sched.alloc(2, 16, spec(constraints={"properties": ["gold"]}))
    (denied,) = sched.schedule(0.0)
    assert isinstance(denied, Denied)


def test_could_it_ever_run() -> None:
    sched = scheduler()
    sched.check(spec(cores=2))
    with pytest.raises(UnsatisfiableError):
        sched.check(spec(cores=3))
    with pytest.raises(JobspecError):
        sched.check({})


def test_a_job_that_has_resources_gets_no_more() -> None:
    sched = scheduler()
    sched.hello(1, ResourceSet({0: Node("h0", 1, 0)}))
    sched.alloc(1, 16, spec())
    (denied,) = sched.schedule(0.0)
    assert denied == Denied(1, "job 1 has an allocation")


_STEP = st.tuples(
    st.sampled_from(["alloc", "alloc", "schedule", "free", "cancel", "up", "down", "raise"]),
    st.integers(0, 9),
    st.integers(1, 3),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(_STEP, max_size=60))
def test_any_order(steps: list[tuple[str, int, int]]) -> None:
    """Against a model: who waits, in which order, and who has what."""
    sched = scheduler(nodes=3, cores=2)
    waiting: dict[int, int] = {}
    has: dict[int, ResourceSet] = {}
    for step, jobid, number in steps:
        if step == "alloc" and jobid not in waiting and jobid not in has:
            sched.alloc(jobid, number, spec(cores=number))
            waiting[jobid] = number
        elif step == "schedule":
            for decision in sched.schedule(0.0):
                first = min(waiting, key=lambda job: (-waiting[job], job))
                assert decision.id == first
                del waiting[first]
                if isinstance(decision, Allocated):
                    assert decision.rset.ranks <= sched.pool.up
                    has[first] = decision.rset
        elif step == "free" and jobid in has:
            sched.free(jobid, has.pop(jobid), final=True)
        elif step == "cancel":
            assert sched.cancel(jobid) == (waiting.pop(jobid, None) is not None)
        elif step == "raise" and jobid in waiting:
            waiting[jobid] = 10 + number
            sched.prioritize([(jobid, 10 + number)])
        elif step == "up":
            sched.pool.mark_up(IdSet([jobid % 3]))
        elif step == "down":
            sched.pool.mark_down(IdSet([jobid % 3]))
        assert [job.id for job in sched.queue] == sorted(waiting, key=lambda i: (-waiting[i], i))
        sched.pool.validate_state()


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ([], Options(8, 6)),
        (["queue-depth=3"], Options(3, 6)),
        (["queue-depth=unlimited"], Options(0, 6)),
        (["mode=unlimited", "log-level=DEBUG"], Options(0, 7)),
        (["mode=limited=5"], Options(5, 6)),
    ],
)
def test_arguments(args: list[str], options: Options) -> None:
    assert parse_options(args) == options


@pytest.mark.parametrize(
    ("arg", "text"),
    [
        (
            "bogus=1",
            "unknown argument 'bogus=1': built-in options are queue-depth, log-level, pool-class",
        ),
        (
            "queue-depth=zz",
            "queue-depth='zz' is invalid: expected a positive integer or 'unlimited'",
        ),
        ("queue-depth=0", "queue-depth='0' is invalid: expected a positive integer or 'unlimited'"),
        ("mode=limited=-1", "mode=limited= requires a positive integer, got '-1'"),
        (
            "log-level=loud",
            "log-level='loud' is invalid: expected one of "
            "emerg, alert, crit, err, warning, notice, info, debug",
        ),
        ("pool-class=a.b", "pool-class='a.b': could not load pool class"),
    ],
)
def test_bad_arguments(arg: str, text: str) -> None:
    with pytest.raises(OSError) as caught:
        parse_options([arg])
    assert error_of(caught.value) == (22, text)
