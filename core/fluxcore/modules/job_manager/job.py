"""A job as the job manager knows it: what its events have made of it (RFC 21, CONTRACTS D4).

The record is changed by :meth:`Job.apply` and nothing else changes its state; the moves are those
of the table in :mod:`fluxcore.job.states`. Beside it stand the marks that the machine makes on what
it has asked of others (a request that is pending, an event that has been posted).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from fluxcore.job import states
from fluxcore.job.jobspec import Jobspec
from fluxcore.job.submission import FLAG_DEBUG, FLAG_WAITABLE
from fluxcore.job.updates import update_jobspec, update_r
from fluxcore.modules.job_manager.annotations import merged

#: The JSON object of an event; a journal's listener gets the very object.
EventObject = dict[str, Any]

#: The priority of a job that has none yet.
NO_PRIORITY: Final = -1


class EventError(ValueError):
    """An event that may not be posted to a job: why."""


class RefusedError(ValueError):
    """A job, or a change of one, that is not accepted: why, in flux-core's words."""


class Job:
    """One job. ``eventlog`` is its lines, ``end`` the event that took it to CLEANUP."""

    __slots__ = (
        "alloc_bypass",
        "alloc_pending",
        "alloc_queued",
        "annotations",
        "clean_time",
        "depend_posted",
        "dependencies",
        "end",
        "eventlog",
        "flags",
        "free_posted",
        "got_resources",
        "has_resources",
        "id",
        "immutable",
        "jobspec",
        "perilogs",
        "priority",
        "r",
        "start_pending",
        "started",
        "state",
        "t_submit",
        "urgency",
        "userid",
        "written",
    )

    def __init__(self, jobid: int, jobspec: Jobspec) -> None:
        self.id = jobid
        #: Without its environment, which may be large and is nobody's business here.
        self.jobspec = jobspec
        self.r: Mapping[str, Any] | None = None
        self.state = states.NEW
        self.userid = 2**32 - 1
        self.urgency = 0
        self.priority = NO_PRIORITY
        self.flags = 0
        self.t_submit = 0.0
        self.clean_time = 0.0
        self.eventlog: list[bytes] = []
        self.annotations: Mapping[str, Any] = {}
        self.dependencies: dict[str, None] = {}
        self.end: EventObject | None = None
        self.has_resources = False
        self.got_resources = False
        self.started = False
        self.alloc_bypass = False
        self.immutable = False
        self.perilogs = 0
        #: True when its first events are in the KVS.
        self.written = True
        self.depend_posted = False
        self.free_posted = False
        self.alloc_queued = False
        self.alloc_pending = False
        self.start_pending = False

    def __repr__(self) -> str:
        return f"<Job {self.id} {states.state_name(self.state)}>"

    @property
    def system(self) -> Mapping[str, Any]:
        """The attributes.system of the jobspec; empty if it is malformed."""
        attributes = self.jobspec.get("attributes")
        system = attributes.get("system") if isinstance(attributes, dict) else None
        return system if isinstance(system, dict) else {}

    @property
    def queue(self) -> str | None:
        """The queue that the job is in, None for the one without a name."""
        queue = self.system.get("queue")
        return queue if isinstance(queue, str) else None

    @property
    def waitable(self) -> bool:
        """True if the job was submitted to be waited for."""
        return bool(self.flags & FLAG_WAITABLE)

    @property
    def debug(self) -> bool:
        """True if the job wants to be told more."""
        return bool(self.flags & FLAG_DEBUG)

    @property
    def order(self) -> tuple[int, int]:
        """What sorts jobs for the scheduler: highest priority first, then lowest id."""
        return -self.priority, self.id

    @property
    def result(self) -> int:
        """How a job ended that is in CLEANUP or INACTIVE: one of RFC 21's results."""
        end = self.end or {}
        context = end.get("context", {})
        if end.get("name") == "finish":
            return states.FAILED if context.get("status") else states.COMPLETED
        return _RESULTS.get(context.get("type"), states.FAILED)

    def events(self) -> list[EventObject]:
        """Its eventlog."""
        return [orjson.loads(line) for line in b"".join(self.eventlog).splitlines()]

    def compact(self) -> None:
        """Take less room: nothing more will happen to the job."""
        self.eventlog = [b"".join(self.eventlog)]

    # -- events ----------------------------------------------------------------------------

    def apply(self, event: EventObject) -> None:
        """Take what ``event`` says.

        :raises EventError: it may not come in this state, or its context is malformed; nothing
            has changed then
        """
        name: str = event["name"]
        context: Mapping[str, Any] = event.get("context") or {}
        why = states.refusal(self.state, name, context)
        if why is not None:
            raise EventError(why)
        take = _TAKE.get(name)
        if take is not None:
            try:
                take(self, context)
            except EventError:
                raise
            except (KeyError, TypeError, ValueError):
                raise EventError(f"malformed context of event {name}") from None
        before = self.state
        self.state = states.next_state(before, name, context)
        if self.state != before:
            if self.state == states.CLEANUP:
                self.end = event
            elif self.state == states.INACTIVE:
                self.clean_time = event["timestamp"]
        if name == "submit":
            self.t_submit = event["timestamp"]

    def _submit(self, context: Mapping[str, Any]) -> None:
        userid, urgency, flags = context["userid"], context["urgency"], context["flags"]
        self.userid, self.urgency, self.flags = int(userid), int(urgency), int(flags)

    def _dependency_add(self, context: Mapping[str, Any]) -> None:
        self.dependencies[_text(context["description"])] = None

    def _dependency_remove(self, context: Mapping[str, Any]) -> None:
        self.dependencies.pop(_text(context["description"]), None)

    def _urgency(self, context: Mapping[str, Any]) -> None:
        self.urgency = _number(context["urgency"])

    def _priority(self, context: Mapping[str, Any]) -> None:
        self.priority = _number(context["priority"])

    def _alloc(self, _context: Mapping[str, Any]) -> None:
        if self.r is None:
            raise EventError("no resources are allocated")
        self.has_resources = self.got_resources = True

    def _start(self, _context: Mapping[str, Any]) -> None:
        self.started = True

    def _free(self, _context: Mapping[str, Any]) -> None:
        self.has_resources = False

    def _finish(self, context: Mapping[str, Any]) -> None:
        _number(context["status"])

    def _release(self, context: Mapping[str, Any]) -> None:
        _text(context["ranks"])
        bool(context["final"])

    def _exception(self, context: Mapping[str, Any]) -> None:
        severity, kind = _number(context["severity"]), _text(context["type"])
        if severity == 0 and kind == "scheduler-restart":
            self.has_resources = False  # the scheduler could not take them up again

    def _memo(self, context: Mapping[str, Any]) -> None:
        self.annotations = merged(self.annotations, {"user": context})

    def _jobspec_update(self, context: Mapping[str, Any]) -> None:
        self.jobspec = update_jobspec(self.jobspec, context)

    def _resource_update(self, context: Mapping[str, Any]) -> None:
        if self.r is None or set(context) != {"expiration"} or context["expiration"] < 0:
            raise ValueError
        self.r = update_r(self.r, context)

    def _set_flags(self, context: Mapping[str, Any]) -> None:
        flags = context["flags"]
        if not {"alloc-bypass", "debug", "immutable"}.issuperset(flags):
            raise ValueError
        self.alloc_bypass |= "alloc-bypass" in flags
        self.immutable |= "immutable" in flags
        self.flags |= FLAG_DEBUG if "debug" in flags else 0

    def _perilog_start(self, _context: Mapping[str, Any]) -> None:
        self.perilogs += 1

    def _perilog_finish(self, _context: Mapping[str, Any]) -> None:
        self.perilogs = max(0, self.perilogs - 1)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


_RESULTS: Final = {"cancel": states.CANCELED, "timeout": states.TIMEOUT}

#: What an event says beside the state it leads to. Its context is checked before it is believed.
_TAKE: Final[Mapping[str, Callable[[Job, Mapping[str, Any]], None]]] = {
    "submit": Job._submit,
    "dependency-add": Job._dependency_add,
    "dependency-remove": Job._dependency_remove,
    "urgency": Job._urgency,
    "priority": Job._priority,
    "alloc": Job._alloc,
    "start": Job._start,
    "free": Job._free,
    "finish": Job._finish,
    "release": Job._release,
    "exception": Job._exception,
    "memo": Job._memo,
    "jobspec-update": Job._jobspec_update,
    "resource-update": Job._resource_update,
    "set-flags": Job._set_flags,
    "prolog-start": Job._perilog_start,
    "epilog-start": Job._perilog_start,
    "prolog-finish": Job._perilog_finish,
    "epilog-finish": Job._perilog_finish,
}
