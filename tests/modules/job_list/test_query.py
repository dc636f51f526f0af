"""Queries: which jobs they may be about, and the walk through them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job import states
from fluxcore.job.constraint import compile_constraint
from fluxcore.modules.job_list import query
from fluxcore.modules.job_list.query import Query, Walk, parse, possible_states
from fluxcore.modules.job_list.table import JobTable
from support.fake_journal import LIFE, event_of

EVERY = 127


def table_of(count: int) -> JobTable:
    """Jobs 1, 2, ... in all states, in turns."""
    table = JobTable(lambda _listed: None)
    for jobid in range(1, count + 1):
        for name in (*LIFE, "clean")[: 2 + jobid % 9]:
            table.take(jobid, [event_of(name, float(jobid), userid=jobid % 3)], None, None)
    return table


def found(table: JobTable, asked: Query) -> list[int]:
    walk, jobs = Walk(table, asked), []
    while not walk.over:
        jobs += [listed.info.id for listed in walk.step()]
    return jobs


def ask(constraint: Any = None, max_entries: int = 0, **more: Any) -> Query:
    payload = {"max_entries": max_entries, "attrs": [], "constraint": constraint or {}, **more}
    return parse(payload, 1024, None)


@pytest.mark.parametrize(
    ("constraint", "mask"),
    [
        ({}, EVERY),
        ({"states": ["pending"]}, states.PENDING),
        ({"states": ["run", 64]}, states.RUN | states.INACTIVE),
        ({"results": ["failed"]}, states.INACTIVE),
        ({"t_inactive": [">5"]}, states.INACTIVE),
        ({"t_run": [">5"]}, EVERY),
        ({"and": [{"states": [96]}, {"results": [1]}, {"userid": [5]}]}, states.INACTIVE),
        ({"or": [{"states": ["run"]}, {"results": [1]}]}, states.RUN | states.INACTIVE),
        ({"or": []}, EVERY),
        ({"and": []}, EVERY),
        ({"not": [{"states": ["run"]}]}, EVERY),
    ],
)
def test_the_states_that_are_possible(constraint: dict[str, Any], mask: int) -> None:
    assert possible_states(constraint) == mask


LEAVES = st.one_of(
    st.lists(st.sampled_from(["depend", "sched", "run", "inactive", "pending"]), min_size=1).map(
        lambda values: {"states": values}
    ),
    st.just({"results": ["completed"]}),
    st.sampled_from([{"t_inactive": [">=5"]}, {"t_run": ["<20"]}, {"userid": [1]}, {}]),
)
CONSTRAINTS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(["and", "or", "not"]), st.lists(inner, max_size=3)).map(
        lambda pair: {pair[0]: pair[1]}
    ),
    max_leaves=6,
)
TABLE = table_of(40)


@settings(max_examples=40)
@given(CONSTRAINTS)
def test_nothing_that_matches_is_passed_over(constraint: dict[str, Any]) -> None:
    matches = compile_constraint(constraint)
    orders = (TABLE.pending, TABLE.running, TABLE.inactive)
    infos = [TABLE.at(key).info for order in orders for key in order]
    assert found(TABLE, ask(constraint)) == [info.id for info in infos if matches(info)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "BATCH", 3)


@pytest.mark.usefixtures("small_batches")
def test_a_walk_ends_in_time() -> None:
    everything = found(TABLE, ask())
    assert len(everything) == 40
    for count in range(1, 41):
        assert found(TABLE, ask(max_entries=count)) == everything[:count]
    inactive = found(TABLE, ask({"states": ["inactive"]}))
    since = found(TABLE, ask({"states": ["inactive"]}, since=20.0))
    assert since == [jobid for jobid in inactive if jobid > 20]


@pytest.mark.usefixtures("small_batches")
def test_jobs_that_move_on_are_found_once() -> None:
    table = table_of(40)
    walk = Walk(table, ask())
    jobs = [listed.info.id for listed in walk.step()]
    for jobid in jobs:  # they are pending, and end now
        table.take(jobid, [event_of("exception", 50.0), event_of("clean", 50.0)], None, None)
    while not walk.over:
        jobs += [listed.info.id for listed in walk.step()]
    assert sorted(jobs) == list(range(1, 41))


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({}, "max_entries and attrs are required"),
        ({"max_entries": 0}, "max_entries and attrs are required"),
        ({"max_entries": -1, "attrs": []}, "max_entries < 0 not allowed"),
        ({"max_entries": 0, "attrs": 5}, "attrs must be an array"),
        ({"max_entries": 0, "attrs": [], "since": -1}, "since < 0.0 not allowed"),
        ({"max_entries": 0, "attrs": [], "since": "x"}, "since must be a number"),
        (
            {"max_entries": 0, "attrs": [], "constraint": {"foo": []}},
            "constraint object invalid: unknown constraint operator: foo",
        ),
        (
            {"max_entries": 0, "attrs": [], "constraint": 5},
            "constraint object invalid: constraint must be JSON object",
        ),
    ],
)
def test_queries_are_checked(payload: dict[str, Any], text: str) -> None:
    with pytest.raises(OSError) as caught:
        parse(payload, 1024, None)
    assert caught.value.strerror == f"invalid payload: {text}"


def test_older_clients_ask_in_another_way() -> None:
    payload = {
        "max_entries": 0,
        "attrs": [],
        "userid": 1,
        "states": states.PENDING,
        "results": 0,
        "name": "sh",
    }
    asked = parse(payload, 1024, None)
    assert asked.states == states.PENDING
    assert found(TABLE, asked) == []
    del payload["name"]
    jobs = found(TABLE, parse(payload, 1024, None))
    assert jobs
    assert all(TABLE.jobs[jobid].info.userid == 1 for jobid in jobs)
    payload |= {"userid": -1, "states": 0, "results": states.COMPLETED}
    assert parse(payload, 1024, None).states == states.INACTIVE


def test_others_jobs_may_be_hidden() -> None:
    payload = {"max_entries": 0, "attrs": []}
    jobs = found(TABLE, parse(payload, 1024, 2))
    assert sorted(jobs) == [jobid for jobid in range(1, 41) if jobid % 3 == 2]
