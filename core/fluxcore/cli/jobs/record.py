"""A listed job as ``flux jobs --json`` prints it."""

from typing import Any, Final

from fluxcore.cli.job.ids import id_text
from fluxcore.cli.jobs.listed_job import ListedJob

_TIMES: Final = ("t_depend", "t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive")
_PLAIN: Final = (
    *(*_TIMES, "duration", "expiration", "name", "cwd", "queue", "project", "bank"),
    *("ntasks", "ncores", "nnodes", "priority", "ranks", "nodelist", "success"),
)
#: Left out if they are zero.
_ZERO_IS_UNSET: Final = (*_TIMES, "t_submit", "t_remaining", "runtime", "expiration")


def job_record(job: ListedJob) -> dict[str, Any]:
    """What is known of ``job``, without what is not set."""
    record: dict[str, Any] = {name: job[name] for name in _PLAIN}
    record |= {
        "result": job.result,
        "waitstatus": job["waitstatus"],
        "id": job.id,
        "t_submit": job["t_submit"],
        "t_remaining": job.t_remaining,
        "state": job.state,
        "username": job.username,
        "userid": job["userid"],
        "urgency": job["urgency"],
        "runtime": job.runtime,
        "status": job.status,
        "returncode": job.returncode,
        "dependencies": job.dependencies,
        "jobid": id_text(job.id),
        "annotations": _annotations(job),
        "exception": job.exception if job.exception["occurred"] else {"occurred": False},
    }
    if job.uri:
        record["uri"] = job.uri
    return {key: value for key, value in record.items() if not _is_unset(key, value)}


def _annotations(job: ListedJob) -> dict[str, Any]:
    """The annotations without the URI, which has a place of its own."""
    notes = dict(job.annotations)
    user = notes.get("user")
    if isinstance(user, dict) and "uri" in user:
        rest = {key: value for key, value in user.items() if key != "uri"}
        notes = {**notes, "user": rest} if rest else {k: v for k, v in notes.items() if k != "user"}
    return notes


def _is_unset(key: str, value: Any) -> bool:
    return value == "" or (key in _ZERO_IS_UNSET and value == 0)
