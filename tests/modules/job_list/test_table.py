"""The table of jobs: the journal read, and by chance."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fluxcore.job import states
from fluxcore.modules.job_list.table import JobTable, Listed
from support.fake_journal import LIFE, event_of
from support.jobspecs import make_jobspec, make_r


def table_of(moves: list[tuple[int, int]] | None = None) -> JobTable:
    def moved(listed: Listed) -> None:
        if moves is not None:
            moves.append((listed.info.id, listed.info.state))

    return JobTable(moved)


def live(table: JobTable, jobid: int, until: str = "clean", now: float = 1.0) -> None:
    for number, name in enumerate((*LIFE, "clean")):
        jobspec = make_jobspec("prog") if name == "submit" else None
        r = make_r([0]) if name == "alloc" else None
        table.take(jobid, [event_of(name, now + number)], jobspec, r)
        if name == until:
            return


def ids(order: Any) -> list[int]:
    return [abs(key[1]) for key in order]


def test_a_job_goes_through_the_orders() -> None:
    moves: list[tuple[int, int]] = []
    table = table_of(moves)
    live(table, 5)
    assert [state for _, state in moves] == [
        *(states.DEPEND, states.PRIORITY, states.SCHED),
        *(states.RUN, states.CLEANUP, states.INACTIVE),
    ]
    assert ids(table.inactive) == [5]
    assert table.jobs[5].mask == states.ACTIVE | states.INACTIVE
    assert table.jobs[5].info.hosts.encode() == "host0"


def test_the_orders() -> None:
    table = table_of()
    for jobid in (1, 2, 3, 4):
        live(table, jobid, "priority", 10.0)
    table.take(3, [event_of("priority", 20.0, priority=20)], None, None)
    table.take(2, [event_of("priority", 20.0, priority=0)], None, None)
    assert ids(table.pending) == [3, 1, 4, 2]
    live(table, 6, "start", 40.0)
    live(table, 5, "start", 50.0)
    assert ids(table.running) == [5, 6]
    live(table, 7, "clean", 40.0)
    live(table, 8, "clean", 30.0)
    live(table, 9, "clean", 50.0)
    assert ids(table.inactive) == [9, 7, 8]
    assert table.purge([7, 5, 99, "x"]) == 1
    assert ids(table.inactive) == [9, 8]
    table.validate_state()


def test_a_job_that_goes_back_is_not_any_more_what_it_was() -> None:
    table = table_of()
    live(table, 1, "priority")
    table.take(1, [event_of("flux-restart", 5.0)], None, None)
    assert table.jobs[1].info.state == states.PRIORITY
    assert table.jobs[1].mask == states.DEPEND | states.PRIORITY


def test_a_job_that_is_not_accepted_is_forgotten() -> None:
    table = table_of()
    live(table, 1, "submit")
    assert ids(table.pending) == []
    table.take(1, [event_of("invalidate", 2.0)], None, None)
    assert table.jobs == {}


def test_counts_are_by_queue_too() -> None:
    table = table_of()
    jobspec = make_jobspec("prog", system={"queue": "a"})
    table.take(1, [event_of("submit", 1.0)], jobspec, None)
    table.take(1, [event_of("validate", 1.0)], None, None)
    update = {"attributes.system.queue": "b"}
    table.take(1, [event_of("jobspec-update", 2.0, **update)], None, None)
    counts = {queue["name"]: queue["job_states"] for queue in table.stats.to_json()["queues"]}
    assert counts["a"]["total"] == 0
    assert counts["b"]["depend"] == 1
    assert table.stats.to_json()["job_states"]["total"] == 1


@pytest.mark.parametrize(
    "entry",
    [5, {"name": "submit"}, {"timestamp": 1.0, "name": "submit", "context": {}}],
)
def test_entries_may_be_malformed(entry: object) -> None:
    with pytest.raises(ValueError):
        table_of().take(1, [entry], None, None)


def test_an_event_of_a_job_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="event start: job 5 not in hash"):
        table_of().take(5, [event_of("start", 1.0)], None, None)


class TableMachine(RuleBasedStateMachine):
    """Whatever the journal tells, the orders and counts are those of the jobs."""

    @initialize()
    def begin(self) -> None:
        self.table = table_of()
        self.now = 0.0
        self.next = 1
        self.purged = 0

    def _tell(self, jobid: int, name: str, **context: Any) -> None:
        self.now += 1.0
        r = make_r([0]) if name == "alloc" else None
        self.table.take(jobid, [event_of(name, self.now, **context)], None, r)

    @rule(queue=st.sampled_from(["a", "b", None]), valid=st.booleans())
    def submitted(self, queue: str | None, valid: bool) -> None:
        self.now += 1.0
        jobspec = make_jobspec("prog", system={"queue": queue} if queue else {})
        self.table.take(self.next, [event_of("submit", self.now)], jobspec, None)
        if valid:
            self._tell(self.next, "validate")
        self.next += 1

    def _draw(self, data: st.DataObject, *among: int) -> int | None:
        jobs = [n for n, each in self.table.jobs.items() if each.info.state in among]
        return data.draw(st.sampled_from(jobs)) if jobs else None

    @rule(data=st.data())
    def moves_on(self, data: st.DataObject) -> None:
        jobid = self._draw(data, *_NEXT)
        if jobid is not None:
            name = _NEXT[self.table.jobs[jobid].info.state]
            context = {"priority": data.draw(st.integers(0, 31))} if name == "priority" else {}
            self._tell(jobid, name, **context)

    @rule(data=st.data(), kind=st.sampled_from(["cancel", "timeout", "other"]))
    def has_an_exception(self, data: st.DataObject, kind: str) -> None:
        jobid = self._draw(data, *_NEXT, states.CLEANUP)
        if jobid is not None:
            self._tell(jobid, "exception", type=kind)

    @rule(data=st.data(), priority=st.integers(0, 31))
    def gets_another_priority(self, data: st.DataObject, priority: int) -> None:
        jobid = self._draw(data, states.SCHED)
        if jobid is not None:
            self._tell(jobid, "priority", priority=priority)

    @rule(data=st.data())
    def goes_back(self, data: st.DataObject) -> None:
        jobid = self._draw(data, states.SCHED, states.PRIORITY)
        if jobid is not None:
            self._tell(jobid, "flux-restart")

    @rule(data=st.data(), queue=st.sampled_from(["a", "b", "c"]))
    def changes_queue(self, data: st.DataObject, queue: str) -> None:
        jobid = self._draw(data, states.DEPEND, states.PRIORITY, states.SCHED)
        if jobid is not None:
            self._tell(jobid, "jobspec-update", **{"attributes.system.queue": queue})

    @rule(data=st.data())
    def is_purged(self, data: st.DataObject) -> None:
        jobid = self._draw(data, states.INACTIVE)
        if jobid is not None:
            self.purged += self.table.purge([jobid])

    @rule(data=st.data())
    def is_invalid(self, data: st.DataObject) -> None:
        jobid = self._draw(data, states.NEW)
        if jobid is not None:
            self._tell(jobid, "invalidate")

    @invariant()
    def orders_are_right(self) -> None:
        self.table.validate_state()

    @invariant()
    def counts_are_right(self) -> None:
        infos = [listed.info for listed in self.table.jobs.values()]
        counted = self.table.stats.to_json()
        assert counted["inactive_purged"] == self.purged
        for each in (counted, *counted["queues"]):
            mine = [info for info in infos if each.get("name") in (None, info.queue)]
            for state in _COUNTED:
                expected = sum(info.state == state for info in mine)
                assert each["job_states"][states.state_name(state).lower()] == expected
            failed = sum(info.result == states.FAILED for info in mine)
            assert each["failed"] == failed


_NEXT = {
    states.NEW: "validate",
    states.DEPEND: "depend",
    states.PRIORITY: "priority",
    states.SCHED: "alloc",
    states.RUN: "finish",
    states.CLEANUP: "clean",
}
_COUNTED = [*list(_NEXT)[1:], states.INACTIVE]

TestTableMachine = pytest.mark.slow(TableMachine.TestCase)
