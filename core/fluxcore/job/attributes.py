"""The attributes of a job that job-list lists, by name (RFC 43, CONTRACTS D12)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fluxcore.job import states
from fluxcore.job.info import JobInfo


def to_json(job: JobInfo, attrs: Iterable[object]) -> dict[str, Any]:
    """The id of ``job`` and those of ``attrs`` that are known; "all" is all of them.

    :raises ValueError: one is no attribute, with flux-core's words
    """
    obj: dict[str, Any] = {"id": job.id}
    for attr in attrs:
        if not isinstance(attr, str):
            raise ValueError("attr has no string value")
        for name in ATTRIBUTES if attr == "all" else (attr,):
            getter = ATTRIBUTES.get(name)
            if getter is None:
                raise ValueError(f"{name} is not a valid attribute")
            value = getter(job)
            if value is not None:
                obj[name] = value
    return obj


def _time(name: str) -> Callable[[JobInfo], float | None]:
    return lambda job: job.time(name)


def _system(name: str) -> Callable[[JobInfo], Any]:
    return lambda job: job.system.get(name)


def _once_run(getter: Callable[[JobInfo], Any]) -> Callable[[JobInfo], Any]:
    """An attribute of jobs that have or had resources."""
    return lambda job: getter(job) if job.time("t_run") is not None else None


def _once_over(getter: Callable[[JobInfo], Any]) -> Callable[[JobInfo], Any]:
    """An attribute of inactive jobs."""
    return lambda job: getter(job) if job.state == states.INACTIVE else None


def _exception(key: str) -> Callable[[JobInfo], Any]:
    return _once_over(lambda job: job.exception[key] if job.exception is not None else None)


def _priority(job: JobInfo) -> int | None:
    # A job that has gone back to PRIORITY has none until it gets one.
    known = job.time("t_sched") is not None and job.state != states.PRIORITY
    return job.priority if known else None


#: What gets each attribute, None if it is not known, in flux-core's order.
ATTRIBUTES: Final[Mapping[str, Callable[[JobInfo], Any]]] = {
    "userid": lambda job: job.userid,
    "urgency": lambda job: job.urgency,
    "priority": _priority,
    "t_submit": _time("t_submit"),
    "t_depend": _time("t_depend"),
    "t_priority": _time("t_priority"),
    "t_sched": _time("t_sched"),
    "t_run": _time("t_run"),
    "t_cleanup": _time("t_cleanup"),
    "t_inactive": _time("t_inactive"),
    "state": lambda job: job.state,
    "name": lambda job: job.name,
    "cwd": _system("cwd"),
    "queue": _system("queue"),
    "project": _system("project"),
    "bank": _system("bank"),
    "ntasks": lambda job: job.ntasks,
    "ncores": lambda job: job.ncores,
    "duration": lambda job: job.duration,
    "nnodes": lambda job: job.nnodes,
    "ranks": _once_run(lambda job: job.rank_set.encode(brackets=True)),
    "nodelist": _once_run(lambda job: job.hosts.encode()),
    "success": _once_over(lambda job: job.success),
    "exception_occurred": _once_over(lambda job: job.exception is not None),
    "exception_type": _exception("type"),
    "exception_severity": _exception("severity"),
    "exception_note": _exception("note"),
    "result": lambda job: job.result,
    "expiration": _once_run(lambda job: job.expiration),
    "annotations": lambda job: job.annotations or None,
    "waitstatus": lambda job: job.wait_status,
    "dependencies": lambda job: list(job.dependencies) or None,
}
