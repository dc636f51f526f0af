"""The fields of ``flux jobs``: headings, values, and what job-list must be asked for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from fluxcore.cli.job.ids import id_text
from fluxcore.cli.jobs.listed_job import ListedJob
from fluxcore.job import jobid, states

_STATE_EMOJI: Final = {
    states.NEW: "🎁",
    states.DEPEND: "🛑",
    states.PRIORITY: "🚦",
    states.SCHED: "📅",
    states.RUN: "🏃",
    states.CLEANUP: "🗑",
    states.INACTIVE: "💀",
}
_RESULT_EMOJI: Final = {
    states.COMPLETED: "😀",
    states.FAILED: "💩",
    states.CANCELED: "💥",
    states.TIMEOUT: "⌛",
}
_NO_RESULT: Final = "\u3000"

_ALL_EXCEPTION: Final = tuple(
    f"exception_{key}" for key in ("occurred", "severity", "type", "note")
)


class Field(NamedTuple):
    """A field's heading, its value, and the attributes that the value is made of."""

    heading: str
    value: Callable[[ListedJob], Any]
    attrs: tuple[str, ...] = ()


def _attribute(name: str, heading: str) -> Field:
    return Field(heading, lambda job: job[name], (name,))


def _id(form: str) -> Field:
    return Field("JOBID", lambda job: jobid.encode(job.id, form))


def _exception(key: str) -> Field:
    name = f"exception_{key}"
    return Field(f"EXCEPTION-{key.upper()}", lambda job: job[name], (name,))


def _state_emoji(job: ListedJob) -> str:
    return _STATE_EMOJI.get(job.state_number, "")


def _result_emoji(job: ListedJob) -> str:
    return _RESULT_EMOJI.get(job.result_number, _NO_RESULT)


def _status_emoji(job: ListedJob) -> str:
    active = job.state_number & states.ACTIVE
    return _state_emoji(job) if active else _result_emoji(job)


def _state_letter(job: ListedJob) -> str:
    return states.state_letters(job.state_number)


_STATUS: Final = ("state", "result")
_NOTES: Final = ("annotations",)

FIELDS: Final[Mapping[str, Field]] = {
    "id": Field("JOBID", lambda job: id_text(job.id)),
    "id.f58": Field("JOBID", lambda job: id_text(job.id)),
    "id.dec": Field("JOBID", lambda job: job.id),
    **{f"id.{form}": _id(form) for form in jobid.FORMS if form not in ("dec", "f58")},
    "userid": _attribute("userid", "UID"),
    "username": Field("USER", lambda job: job.username, ("userid",)),
    "urgency": _attribute("urgency", "URG"),
    "priority": _attribute("priority", "PRI"),
    "state": Field("STATE", lambda job: job.state, ("state",)),
    "state_single": Field("S", _state_letter, ("state",)),
    "state_emoji": Field("STATE", _state_emoji, ("state",)),
    "name": _attribute("name", "NAME"),
    "cwd": _attribute("cwd", "CWD"),
    "queue": _attribute("queue", "QUEUE"),
    "project": _attribute("project", "PROJECT"),
    "bank": _attribute("bank", "BANK"),
    "ntasks": _attribute("ntasks", "NTASKS"),
    "ncores": _attribute("ncores", "NCORES"),
    "duration": _attribute("duration", "DURATION"),
    "nnodes": _attribute("nnodes", "NNODES"),
    "expiration": Field("EXPIRATION", lambda job: job["expiration"], ("expiration", *_STATUS)),
    "t_remaining": Field("T_REMAINING", lambda job: job.t_remaining, ("expiration", *_STATUS)),
    "ranks": _attribute("ranks", "RANKS"),
    "nodelist": _attribute("nodelist", "NODELIST"),
    "success": _attribute("success", "SUCCESS"),
    "result": Field("RESULT", lambda job: job.result, ("result",)),
    "result_abbrev": Field("RS", lambda job: job.result_letters, ("result",)),
    "result_emoji": Field("RESULT", _result_emoji, ("result",)),
    **{
        name: _attribute(name, name.upper())
        for name in (
            *("t_submit", "t_depend", "t_priority", "t_sched"),
            *("t_run", "t_cleanup", "t_inactive"),
        )
    },
    "runtime": Field("RUNTIME", lambda job: job.runtime, ("t_run", "t_cleanup")),
    "status": Field("STATUS", lambda job: job.status, _STATUS),
    "status_abbrev": Field("ST", lambda job: job.status_letters, _STATUS),
    "status_emoji": Field("STATUS", _status_emoji, _STATUS),
    "waitstatus": _attribute("waitstatus", "WSTATUS"),
    "returncode": Field("RC", lambda job: job.returncode, ("waitstatus", "result")),
    **{f"exception.{key}": _exception(key) for key in ("occurred", "severity", "type", "note")},
    "annotations": Field("ANNOTATIONS", lambda job: job.annotation(""), _NOTES),
    "dependencies": Field(
        "DEPENDENCIES", lambda job: ",".join(job.dependencies), ("dependencies",)
    ),
    "contextual_info": Field(
        "INFO",
        lambda job: job.contextual_info,
        ("state", "dependencies", "annotations", "nodelist", "priority", "urgency"),
    ),
    "contextual_time": Field(
        "TIME", lambda job: job.contextual_time, ("state", "t_run", "t_cleanup", "duration")
    ),
    "inactive_reason": Field(
        "INACTIVE-REASON",
        lambda job: job.inactive_reason,
        (*_STATUS, "waitstatus", *_ALL_EXCEPTION),
    ),
    "sched": Field("SCHED", lambda job: job.annotation("sched"), _NOTES),
    "user": Field("USER", lambda job: job.annotation("user"), _NOTES),
    "uri": Field("URI", lambda job: job.uri, _NOTES),
    "uri.local": Field("URI", lambda job: job.local_uri, _NOTES),
}

#: Headings of annotations that RFC 27 knows.
_NOTE_HEADINGS: Final = {
    "sched.t_estimate": "T_ESTIMATE",
    "sched.reason_pending": "REASON",
    "sched.resource_summary": "RESOURCES",
}


def find_field(name: str) -> Field:
    """The field of that name; below ``annotations``, ``sched`` and ``user`` any name is one.

    :raises ValueError: there is none
    """
    if name in FIELDS:
        return FIELDS[name]
    path = name.removeprefix("annotations.")
    if path == name and not name.startswith(("sched.", "user.")):
        raise ValueError(f"Unknown format field: {name}")
    heading = _NOTE_HEADINGS.get(path, path.upper())
    return Field(heading, lambda job: job.annotation(path), _NOTES)


def heading(name: str) -> str:
    """The heading of a field.

    :raises ValueError: there is no such field
    """
    return find_field(name).heading


def value(job: ListedJob, name: str) -> Any:
    """The value of a field."""
    return find_field(name).value(job)


def needed_attrs(names: Iterable[str]) -> list[str]:
    """The attributes that job-list must be asked for to show these fields."""
    attrs = {attr for name in names for attr in find_field(name).attrs}
    return sorted(attrs)
