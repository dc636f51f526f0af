from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.priority_queue import Order, PriorityQueue


@dataclass(slots=True)
class Waiting:
    id: int
    priority: int

    @property
    def order(self) -> Order:
        return -self.priority, self.id


_STEP = st.tuples(
    st.sampled_from(["add", "add", "discard", "pop"]), st.integers(0, 12), st.integers(0, 3)
)


@given(st.lists(_STEP, max_size=200))
def test_it_is_a_sorted_list(steps: list[tuple[str, int, int]]) -> None:
    queue: PriorityQueue[Waiting] = PriorityQueue()
    model: dict[int, Waiting] = {}
    for step, jobid, priority in steps:
        if step == "add":
            model[jobid] = model.get(jobid, Waiting(jobid, priority))
            model[jobid].priority = priority
            queue.add(model[jobid])
        elif step == "discard" and jobid in model:
            queue.discard(model.pop(jobid))
        elif step == "pop" and (first := queue.first()) is not None:
            queue.discard(first)
            del model[first.id]
        expected = sorted(model.values(), key=lambda job: job.order)
        assert list(queue) == expected
        assert queue.first() == (expected[0] if expected else None)
        assert len(queue) == len(model)
        assert queue.get(jobid) is model.get(jobid)


def test_what_is_removed_takes_no_room_for_long() -> None:
    queue: PriorityQueue[Waiting] = PriorityQueue()
    for jobid in range(10_000):
        job = Waiting(jobid, jobid % 7)
        queue.add(job)
        queue.discard(job)
    assert len(queue._heap) < 100
