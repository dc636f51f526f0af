"""Jobs as job-list lists them: real jobs of flux-core 0.88, their events in, its answer out."""

import json
from pathlib import Path
from typing import Any

import pytest

from fluxcore.job import states
from fluxcore.job.attributes import ATTRIBUTES, to_json
from fluxcore.job.eventlog import Event, from_object
from fluxcore.job.info import JobInfo
from support.jobspecs import make_jobspec

# Each line has a job's events, jobspec and R, and what "job-list.list" of "all" said of it.
JOBS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "jobs.jsonl").read_text().splitlines()
]
SUBMIT = Event(1.0, "submit", {"userid": 7, "urgency": 16, "flags": 0, "version": 1})


def follow(data: dict[str, Any], until: str = "") -> JobInfo:
    """The job after its events, or after the first one of a name."""
    job = JobInfo(data["job"]["id"])
    for event in map(from_object, data["events"]):
        if event.name == "alloc":
            job.set_r(data["R"])
        job.apply(event)
        if event.name == "submit":
            job.set_jobspec(data["jobspec"])
        if event.name == until:
            break
    return job


@pytest.mark.parametrize("data", JOBS, ids=lambda data: str(data["job"]["id"]))
def test_a_job_is_listed_as_flux_core_lists_it(data: dict[str, Any]) -> None:
    listed = to_json(follow(data), ["all"])
    expected = data["job"]
    assert listed == expected
    assert [key for key in expected if key != "id"] == [k for k in ATTRIBUTES if k in expected]


@pytest.mark.parametrize(
    ("program", "name"), [("/bin/true", "true"), ("true", "true"), ("/foo/bar/", "/foo/bar/")]
)
def test_a_job_is_named_after_its_program(program: str, name: str) -> None:
    job = JobInfo(1)
    job.set_jobspec(make_jobspec(program))
    assert job.name == name


def test_jobs_sort_as_they_are_listed() -> None:
    jobs = [follow(data) for data in JOBS]
    assert sorted(jobs, key=JobInfo.order) == jobs
    assert sorted(jobs[3:] + jobs[:3], key=JobInfo.order) == jobs
    waiting = [JobInfo(jobid) for jobid in (3, 1, 2)]
    for job, priority in zip(waiting, (5, 5, 9), strict=True):
        job.state, job.priority = states.SCHED, priority
    assert [job.id for job in sorted(waiting, key=JobInfo.order)] == [2, 1, 3]
    running = [follow(data, "start") for data in JOBS if "R" in data]
    latest = max(running, key=lambda job: job.time("t_run") or 0)
    assert min(running, key=JobInfo.order) is latest


def test_what_is_known_before_a_job_runs() -> None:
    data = next(data for data in JOBS if data["job"]["name"] == "one")
    assert to_json(follow(data, "depend"), ["all"]) == {
        "id": data["job"]["id"],
        "userid": 0,
        "urgency": 16,
        "t_submit": data["job"]["t_submit"],
        "t_depend": data["job"]["t_depend"],
        "t_priority": data["job"]["t_priority"],
        "state": states.PRIORITY,
        "name": "one",
        "cwd": "/home/user",
        "ntasks": 3,
        "ncores": 4,
        "duration": 0.0,
        "nnodes": 2,
    }


def test_whole_nodes_hide_how_many_cores_there_are() -> None:
    data = next(data for data in JOBS if data["job"]["ntasks"] == 3 and data["job"]["nnodes"] == 1)
    before = to_json(follow(data, "depend"), ["ncores", "ntasks", "nnodes"])
    assert before == {"id": data["job"]["id"], "ntasks": 3, "nnodes": 1}


def test_attributes_that_are_asked_for() -> None:
    job = follow(JOBS[0])
    assert to_json(job, []) == {"id": job.id}
    assert to_json(job, ["state", "queue"]) == {"id": job.id, "state": states.INACTIVE}
    with pytest.raises(ValueError, match=r"^foo is not a valid attribute$"):
        to_json(job, ["foo"])
    with pytest.raises(ValueError, match=r"^attr has no string value$"):
        to_json(job, [1])


def started() -> JobInfo:
    job = JobInfo(1)
    for name in ("submit", "validate", "depend"):
        job.apply(SUBMIT if name == "submit" else Event(2.0, name))
    return job


def test_a_job_that_loses_its_priority() -> None:
    job = started()
    job.apply(Event(3.0, "priority", {"priority": 16}))
    assert to_json(job, ["priority"]) == {"id": 1, "priority": 16}
    job.apply(Event(4.0, "urgency", {"urgency": 3, "userid": 7}))
    assert to_json(job, ["priority", "urgency"]) == {"id": 1, "urgency": 3}
    job.apply(Event(5.0, "priority", {"priority": 3}))
    listed = to_json(job, ["priority", "t_priority", "t_sched"])
    assert listed == {"id": 1, "priority": 3, "t_priority": 2.0, "t_sched": 3.0}


def test_dependencies_come_and_go() -> None:
    job = JobInfo(1)
    job.apply(SUBMIT)
    for name in ("a", "b", "b"):
        job.apply(Event(1.0, "dependency-add", {"description": name}))
    listed = to_json(job, ["dependencies"])
    job.apply(Event(1.0, "dependency-remove", {"description": "a"}))
    job.apply(Event(1.0, "dependency-remove", {"description": "nosuch"}))
    assert listed == {"id": 1, "dependencies": ["a", "b"]}, "a list that was given is not changed"
    assert to_json(job, ["dependencies"]) == {"id": 1, "dependencies": ["b"]}
    job.apply(Event(1.0, "dependency-remove", {"description": "b"}))
    assert to_json(job, ["dependencies"]) == {"id": 1}


def test_annotations_and_memos() -> None:
    job = started()
    job.apply(Event(1.0, "memo", {"a": 1, "b": {"c": 2, "d": None}}))
    assert job.annotations == {"user": {"a": 1, "b": {"c": 2}}}
    job.apply(Event(1.0, "memo", {"b": {"e": 3}, "a": None}))
    assert job.annotations == {"user": {"b": {"c": 2, "e": 3}}}
    job.apply(Event(1.0, "memo", {"b": None}))
    assert to_json(job, ["annotations"]) == {"id": 1}
    job.apply(Event(1.0, "annotations", {"annotations": {"sched": {"t_estimate": 5}}}))
    assert job.annotations == {"sched": {"t_estimate": 5}}
    job.apply(Event(1.0, "annotations", {"annotations": None}))
    assert job.annotations == {}


def test_the_worst_exception_counts() -> None:
    job = started()
    for severity, kind in ((3, "mild"), (0, "cancel"), (0, "timeout")):
        job.apply(Event(9.0, "exception", {"type": kind, "severity": severity, "note": kind}))
    job.apply(Event(9.5, "clean"))
    assert job.result == states.CANCELED
    assert job.exception == {"type": "cancel", "severity": 0, "note": "cancel"}


def test_updates_reach_what_is_listed() -> None:
    data = next(data for data in JOBS if data["job"]["name"] == "one")
    job = follow(data, "start")
    job.apply(Event(1.0, "jobspec-update", {"attributes.system.queue": "debug"}))
    job.apply(Event(1.0, "resource-update", {"expiration": 99.0}))
    listed = to_json(job, ["queue", "expiration", "ntasks", "ncores"])
    assert listed == {"id": job.id, "queue": "debug", "expiration": 99.0, "ntasks": 3, "ncores": 4}
    assert "queue" not in data["jobspec"]["attributes"]["system"], (
        "the jobspec given is not changed"
    )


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("submit", None),
        ("priority", {}),
        ("finish", {"x": 1}),
        ("exception", {"severity": 0}),
        ("dependency-add", {}),
        ("annotations", {"annotations": 1}),
    ],
)
def test_a_malformed_event_is_refused(name: str, context: dict[str, Any] | None) -> None:
    with pytest.raises(ValueError, match=f"{name} context invalid"):
        JobInfo(1).apply(Event(1.0, name, context))
