"""The pool: flux-core's choices, its words, and a brute-force model of both."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from fluxcore.resource.idset import IdSet
from fluxcore.resource.pool import ResourcePool
from fluxcore.resource.request import Request, UnsatisfiableError
from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node


def inventory(hosts: str = "abcd", cores: int = 4, gpus: int = 2) -> ResourceSet:
    node = (2**cores - 1, 2**gpus - 1)
    return ResourceSet(
        {rank: Node(host, *node) for rank, host in enumerate(hosts)},
        {"foo": IdSet([0, 1]), "+queue": IdSet([0])},
    )


def slots(count: int, cores: int = 1, gpus: int = 0) -> Request:
    return Request(0, count, cores, gpus)


def nodes(
    count: int, slots: int = 0, cores: int = 1, gpus: int = 0, whole: bool = False
) -> Request:
    return Request(count, slots or count, cores, gpus, whole)


def summary(pool: ResourcePool, jobid: int, request: Request) -> str:
    rset = pool.alloc(jobid, request)
    pool.validate_state()
    return rset.summary() if rset is not None else "later"


def test_the_choices_of_flux_core() -> None:
    """A run of flux-core 0.88's sched-simple on four nodes of four cores and two gpus."""
    pool = ResourcePool(inventory())
    shapes = [
        (slots(1), "rank0/core0"),
        (slots(1), "rank1/core0"),
        (slots(2, 2), "rank2/core[0-3]"),
        (nodes(2), "rank0/core1 rank3/core0"),
        (nodes(1, 2, gpus=1), "rank1/core[1-2],gpu[0-1]"),
        (slots(3, gpus=1), "rank0/core2,gpu0 rank3/core[1-2],gpu[0-1]"),
        (nodes(1, whole=True), "later"),
        (slots(5), "later"),
    ]
    for jobid, (request, expected) in enumerate(shapes):
        assert summary(pool, jobid, request) == expected
    for jobid in range(6):
        pool.free(jobid)
    assert summary(pool, 10, nodes(4, whole=True)) == "rank[0-3]/core[0-3],gpu[0-1]"
    pool.free(10)
    assert summary(pool, 11, slots(7, 2)) == "rank[0-2]/core[0-3] rank3/core[0-1]"


def test_what_a_job_gets_is_an_r() -> None:
    rset = ResourcePool(inventory()).alloc(1, replace(slots(1), duration=300.0), 1795346563.5)
    assert rset is not None
    assert rset.to_json() == {
        "version": 1,
        "execution": {
            "R_lite": [{"rank": "0", "children": {"core": "0"}}],
            "starttime": 1795346563.5,
            "expiration": 1795346863.5,
            "nslots": 1,
            "nodelist": ["a"],
            "properties": {"foo": "0"},
        },
    }


def test_without_a_limit_a_job_ends_with_the_instance() -> None:
    pool = ResourcePool(inventory())
    first = pool.alloc(1, slots(1), 100.0)
    pool.expiration = 500.0
    second = pool.alloc(2, slots(1), 100.0)
    assert first is not None
    assert second is not None
    assert (first.expiration, second.expiration) == (0.0, 500.0)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (nodes(1, 1, 64), "need 1 node(s) with 64 cores each, only 0 eligible"),
        (nodes(1, 3, 1, 1), "need 1 node(s) with 3 cores and 3 GPUs each, only 0 eligible"),
        (
            slots(1, 64),
            "need 1 slot(s) of 64 core(s), only 0 such slot(s) available (total cores: 16)",
        ),
        (
            slots(17),
            "need 17 slot(s) of 1 core(s), only 16 such slot(s) available (total cores: 16)",
        ),
        (nodes(5, whole=True), "need 5 exclusive node(s), only 4 eligible"),
        (nodes(1, 1, 64, whole=True), "need 1 exclusive node(s), only 0 eligible"),
        (slots(1, gpus=3), "need 1 slot(s) with 3 GPU(s) each, only 0 available (total GPUs: 8)"),
        (slots(9, gpus=1), "need 9 slot(s) with 1 GPU(s) each, only 8 available (total GPUs: 8)"),
        (
            replace(slots(5), ranks=IdSet([1])),
            "need 5 slot(s) of 1 core(s), only 4 such slot(s) available (total cores: 4)",
        ),
    ],
)
def test_what_can_never_be_is_said(request_: Request, text: str) -> None:
    pool = ResourcePool(inventory())
    pool.mark_down(IdSet.span(0, 3))
    with pytest.raises(UnsatisfiableError) as caught:
        pool.check(request_)
    assert str(caught.value) == f"unsatisfiable request: {text}"
    with pytest.raises(UnsatisfiableError, match="unsatisfiable request: need"):
        pool.alloc(1, request_)


def test_only_up_ranks_are_given() -> None:
    pool = ResourcePool(inventory())
    assert summary(pool, 1, nodes(1)) == "rank0/core0"
    pool.mark_down(IdSet.decode("0-2,99"))
    assert (str(pool.up), str(pool.down_set().ranks)) == ("3", "0-2")
    assert summary(pool, 2, nodes(2)) == "later"
    assert summary(pool, 3, nodes(1)) == "rank3/core0"
    pool.free(1)  # a job keeps what it has while its rank is down
    pool.mark_up(IdSet.decode("1,77"))
    assert summary(pool, 4, nodes(2)) == "rank1/core0 rank3/core1"


def test_only_allowed_ranks_are_given() -> None:
    pool = ResourcePool(inventory())
    allowed = pool.inventory.inventory().matching({"properties": ["^foo"]})
    assert summary(pool, 1, replace(slots(5), ranks=allowed)) == "rank2/core[0-3] rank3/core0"


def test_resources_come_back_in_parts() -> None:
    pool = ResourcePool(inventory())
    rset = pool.alloc(7, nodes(3, whole=True))
    assert rset is not None
    assert pool.allocated_set().summary() == "rank[0-2]/core[0-3],gpu[0-1]"
    pool.free(7, rset.subset(IdSet([1])), final=False)
    assert pool.allocated_set().summary() == "rank[0,2]/core[0-3],gpu[0-1]"
    with pytest.raises(ValueError, match="ranks not in its allocation: 1"):
        pool.free(7, rset, final=True)
    with pytest.raises(ValueError, match="is not all that it has: rank0/"):
        pool.free(7, rset.subset(IdSet([0])), final=True)
    with pytest.raises(ValueError, match="is not its allocation: rank0/core0"):
        pool.free(7, ResourceSet({0: Node("a", 1, 0)}), final=False)
    pool.free(7, rset.subset(IdSet([0, 2])), final=True)
    assert not pool.allocated_set()
    with pytest.raises(ValueError, match="job 7 has no allocation"):
        pool.free(7)
    pool.validate_state()


def test_a_scheduler_that_starts_is_told_who_has_what() -> None:
    pool = ResourcePool(inventory())
    held = ResourceSet({1: Node("b", 0b0110, 0b01)})
    pool.take(5, held)
    with pytest.raises(ValueError, match="job 5 has an allocation"):
        pool.take(5, held)
    with pytest.raises(ValueError, match="resources in use on rank 1"):
        pool.take(6, held)
    with pytest.raises(ValueError, match="ranks not in resource pool: 9"):
        pool.take(6, ResourceSet({9: Node("z", 1, 0)}))
    with pytest.raises(ValueError, match="job 6 has an empty allocation"):
        pool.take(6, ResourceSet({}))
    with pytest.raises(ValueError, match="job 5 has an allocation"):
        pool.alloc(5, slots(1))
    assert pool.allocated_set().summary() == "rank1/core[1-2],gpu0"
    assert summary(pool, 8, replace(slots(2), ranks=IdSet([1]))) == "rank1/core[0,3]"


# -- against a model ------------------------------------------------------------------------


class Model:
    """sched-simple the plain way: sort all nodes, take from the first that fit."""

    def __init__(self, rset: ResourceSet) -> None:
        self.total = {r: (_ids(n.cores), _ids(n.gpus)) for r, n in rset.nodes.items()}
        self.free = {r: (set(c), set(g)) for r, (c, g) in self.total.items()}
        self.up = set(self.total)

    def alloc(self, request: Request) -> dict[int, tuple[set[int], set[int]]] | None:
        usable = [
            r for r in self.free if r in self.up and (not request.ranks or r in request.ranks)
        ]
        usable.sort(key=lambda r: (-len(self.free[r][0]), -len(self.free[r][1]), r))
        placed = self._nodes(request, usable) if request.nnodes else self._slots(request, usable)
        for rank, (cores, gpus) in (placed or {}).items():
            self.free[rank] = (self.free[rank][0] - cores, self.free[rank][1] - gpus)
        return placed

    def _take(self, rank: int, cores: int, gpus: int) -> tuple[set[int], set[int]]:
        free = self.free[rank]
        return set(sorted(free[0])[:cores]), set(sorted(free[1])[:gpus])

    def _nodes(self, o: Request, usable: list[int]) -> dict[int, tuple[set[int], set[int]]] | None:
        per_node = o.nslots // o.nnodes
        cores, gpus = per_node * o.cores_per_slot, per_node * o.gpus_per_slot
        fitting = [
            r
            for r in usable
            if len(self.free[r][0]) >= cores
            and len(self.free[r][1]) >= gpus
            and (not o.exclusive or self.free[r] == self.total[r])
        ][: o.nnodes]
        if len(fitting) < o.nnodes:
            return None
        return {r: self.free[r] if o.exclusive else self._take(r, cores, gpus) for r in fitting}

    def _slots(self, o: Request, usable: list[int]) -> dict[int, tuple[set[int], set[int]]] | None:
        placed, left = {}, o.nslots
        for rank in usable:
            count = 0
            while (
                count < left
                and len(self.free[rank][0]) >= (count + 1) * o.cores_per_slot
                and len(self.free[rank][1]) >= (count + 1) * o.gpus_per_slot
            ):
                count += 1
            if count:
                placed[rank] = self._take(rank, count * o.cores_per_slot, count * o.gpus_per_slot)
                left -= count
        return None if left else placed


def _ids(mask: int) -> set[int]:
    return set(IdSet.from_mask(mask))


HARDWARE = ResourceSet(
    {
        0: Node("a", 0b1111, 0b11),
        1: Node("b", 0b1111, 0b00),
        3: Node("c", 0b11111111, 0b1),
        4: Node("d", 0b1010101, 0b1111),
        9: Node("e", 0b1, 0b1),
    }
)
requests = st.builds(
    lambda n, s, c, g, x, ranks: Request(n, s * max(n, 1), c, g, x and n > 0, 0.0, ranks),
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
    st.none() | st.sets(st.sampled_from([0, 1, 3, 4, 9]), min_size=1).map(IdSet),
)


class Machine(RuleBasedStateMachine):
    """Jobs come and go, ranks go up and down; the pool and the model must agree."""

    jobs: Bundle[int] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.pool = ResourcePool(HARDWARE)
        self.model = Model(HARDWARE)
        self.held: dict[int, ResourceSet] = {}
        self.next = 0

    @rule(target=jobs, request=requests)
    def alloc(self, request: Request) -> int | MultipleResults[int]:
        placed = self.model.alloc(request)
        try:
            rset = self.pool.alloc(self.next, request, 5.0)
        except UnsatisfiableError:
            assert placed is None
            assert Model(HARDWARE).alloc(request) is None
            return multiple()
        if rset is None:
            assert placed is None
            assert Model(HARDWARE).alloc(request) is not None
            return multiple()
        assert {r: (_ids(n.cores), _ids(n.gpus)) for r, n in rset.nodes.items()} == placed
        self.held[self.next] = rset
        self.next += 1
        return self.next - 1

    @rule(job=consumes(jobs), by_rank=st.booleans())
    def free(self, job: int, by_rank: bool) -> None:
        rset = self.held.pop(job)
        if by_rank:
            *first, last = rset.ranks
            for rank in first:
                self.pool.free(job, rset.subset(IdSet([rank])), final=False)
            self.pool.free(job, rset.subset(IdSet([last])), final=True)
        else:
            self.pool.free(job, rset, final=True)
        for rank, node in rset.nodes.items():
            free = self.model.free[rank]
            self.model.free[rank] = (free[0] | _ids(node.cores), free[1] | _ids(node.gpus))

    @rule(ranks=st.sets(st.sampled_from([0, 1, 3, 4, 9, 12])), up=st.booleans())
    def mark(self, ranks: set[int], up: bool) -> None:
        if up:
            self.pool.mark_up(IdSet(ranks))
            self.model.up |= ranks & set(self.model.total)
        else:
            self.pool.mark_down(IdSet(ranks))
            self.model.up -= ranks

    @invariant()
    def sound(self) -> None:
        self.pool.validate_state()
        assert set(self.pool.up) == self.model.up

    def teardown(self) -> None:
        """A scheduler that takes over from here knows the same."""
        after = ResourcePool(HARDWARE)
        for job, rset in self.held.items():
            after.take(job, rset)
        assert after.allocated_set() == self.pool.allocated_set()


@pytest.mark.slow
class TestAgainstTheModel(Machine.TestCase):
    settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@settings(max_examples=50)
@given(requests)
def test_what_is_refused_is_what_an_empty_pool_cannot_hold(request_: Request) -> None:
    fits = Model(HARDWARE).alloc(request_) is not None
    try:
        ResourcePool(HARDWARE).check(request_)
    except UnsatisfiableError:
        assert not fits
    else:
        assert fits
