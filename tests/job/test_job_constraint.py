"""Constraints on jobs: flux-core's words for what is malformed, and which jobs match."""

from typing import Any

import pytest

from fluxcore.job import states
from fluxcore.job.constraint import compile_constraint
from fluxcore.job.eventlog import Event
from fluxcore.job.info import JobInfo
from fluxcore.job.updates import update_jobspec, update_r

R = {
    "version": 1,
    "execution": {
        "R_lite": [{"rank": "1-2", "children": {"core": "0"}}],
        "starttime": 0.0,
        "expiration": 0.0,
        "nodelist": ["n[1-2]"],
    },
}


def running() -> JobInfo:
    job = JobInfo(1)
    job.apply(Event(10.0, "submit", {"userid": 7, "urgency": 16, "flags": 0}))
    for at, name in enumerate(("validate", "depend", "priority", "alloc")):
        job.apply(Event(11.0 + at, name, {"priority": 16}))
    job.set_r(R)
    job.name, job.system = "sleep", {"queue": "debug"}
    return job


@pytest.mark.parametrize(
    ("constraint", "matches"),
    [
        ({}, True),
        ({"userid": [7]}, True),
        ({"userid": [8, 9]}, False),
        ({"userid": [-1]}, True),
        ({"userid": [4294967295]}, True),
        ({"name": ["x", "sleep"]}, True),
        ({"name": []}, False),
        ({"queue": ["debug"]}, True),
        ({"queue": ["batch"]}, False),
        ({"states": ["running"]}, True),
        ({"states": ["PENDING", 64]}, False),
        ({"states": [126]}, True),
        ({"results": [15]}, False),
        ({"hostlist": ["n[0-1]"]}, True),
        ({"hostlist": ["n[3-9]"]}, False),
        ({"ranks": ["2-5"]}, True),
        ({"ranks": ["0"]}, False),
        ({"t_run": [">=14"]}, True),
        ({"t_run": [">14.0"]}, False),
        ({"t_submit": ["<11"]}, True),
        ({"t_submit": ["<=9.5"]}, False),
        ({"t_inactive": [">0"]}, False),
        ({"and": []}, True),
        ({"or": []}, True),
        ({"not": []}, False),
        ({"and": [{"userid": [7]}, {"states": [16]}]}, True),
        ({"or": [{"userid": [8]}, {"states": [16]}]}, True),
        ({"not": [{"userid": [7]}, {"states": [8]}]}, True),
        ({"not": [{"not": [{"userid": [7]}]}]}, True),
    ],
)
def test_which_jobs_match(constraint: dict[str, Any], matches: bool) -> None:
    assert compile_constraint(constraint)(running()) == matches


def test_results_are_of_inactive_jobs() -> None:
    job = running()
    job.apply(Event(20.0, "finish", {"status": 0}))
    job.apply(Event(21.0, "clean"))
    assert job.result == states.COMPLETED
    assert compile_constraint({"results": ["completed", "TIMEOUT"]})(job)
    assert not compile_constraint({"results": ["failed"]})(job)
    assert compile_constraint({"t_inactive": [">=21"]})(job)


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (1, "constraint must be JSON object"),
        ([], "constraint must be JSON object"),
        ({"foo": []}, "unknown constraint operator: foo"),
        ({"userid": 1}, "operator userid values not an array"),
        ({"userid": ["x"]}, "userid value must be an integer"),
        ({"name": [1]}, "name value must be a string"),
        ({"queue": [1]}, "queue value must be a string"),
        ({"states": ["zz"]}, "invalid states value 'zz' specified"),
        ({"states": [1000]}, "invalid states value '3E8h' specified"),
        ({"states": [1.5]}, "states value invalid type"),
        ({"results": ["zz"]}, "invalid results value 'zz' specified"),
        ({"results": [32]}, "invalid results value '20h' specified"),
        ({"results": [None]}, "results value invalid type"),
        ({"hostlist": [1]}, "host value must be a string"),
        ({"hostlist": ["a["]}, "host value not in valid Hostlist format"),
        ({"hostlist": [""]}, "host value not in valid Hostlist format"),
        ({"hostlist": ["a[0-2000]"]}, "too many hosts specified"),
        ({"ranks": [1]}, "ranks value must be a string"),
        ({"ranks": ["x"]}, "ranks value 'x': error parsing range 'x'"),
        ({"ranks": ["0-5000"]}, "too many ranks specified"),
        ({"t_run": []}, "timestamp value not specified"),
        ({"t_run": [1]}, "t_run value must be a string"),
        ({"t_run": ["5"]}, "timestamp comparison operator not specified"),
        ({"t_run": [">x"]}, "Invalid timestamp value specified"),
        ({"t_run": [">-1"]}, "timestamp value must be >= 0.0"),
        ({"and": [1]}, "constraint must be JSON object"),
        ({"and": 1}, "operator and values not an array"),
        ({"and": [], "or": []}, "constraint must only contain 1 element"),
    ],
)
def test_what_is_malformed(constraint: object, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        compile_constraint(constraint)
    assert str(caught.value) == text


def test_a_large_instance_may_be_asked_for_more_hosts() -> None:
    compile_constraint({"hostlist": ["a[0-2000]"]}, 4096)
    compile_constraint({"ranks": ["0-2000"]}, 4096)


def test_depth_has_an_end() -> None:
    constraint: dict[str, Any] = {}
    for _ in range(5000):
        constraint = {"not": [constraint]}
    with pytest.raises(ValueError, match="nested too deeply"):
        compile_constraint(constraint)


def test_updates_copy_what_they_change() -> None:
    spec = {"attributes": {"system": {"duration": 0}}, "tasks": [], "version": 1}
    updated = update_jobspec(spec, {"attributes.system.duration": 5.0, "attributes.user.a.b": 1})
    assert updated["attributes"] == {"system": {"duration": 5.0}, "user": {"a": {"b": 1}}}
    assert updated["tasks"] is spec["tasks"]
    assert spec["attributes"] == {"system": {"duration": 0}}
    assert update_r(R, {})["execution"] is R["execution"]


@pytest.mark.parametrize("key", ["version", "x.y", "tasks.0"])
def test_what_is_no_update(key: str) -> None:
    with pytest.raises(ValueError):
        update_jobspec({"tasks": []}, {key: 1})
