"""A job as job-list lists it (RFC 43): what its events, jobspec and R say about it.

Feed a :class:`JobInfo` the events of its job in their order, its jobspec and its R; it keeps
what they say, and :mod:`fluxcore.job.attributes` writes it down.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fluxcore.job import states
from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec import Jobspec, JobspecError, validate
from fluxcore.job.jobspec_counts import total
from fluxcore.job.updates import update_jobspec, update_r
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet

#: The attribute for the time that a state was entered. PRIORITY and SCHED may be entered again;
#: it is the first time that counts.
_TIMES: Final = {
    states.DEPEND: "t_depend",
    states.PRIORITY: "t_priority",
    states.SCHED: "t_sched",
    states.RUN: "t_run",
    states.CLEANUP: "t_cleanup",
    states.INACTIVE: "t_inactive",
}


class JobInfo:
    """One job; an attribute that is not known yet is None."""

    __slots__ = (
        "_exception",
        "_jobspec",
        "_per_resource",
        "_r",
        "_success",
        "_times",
        "annotations",
        "dependencies",
        "duration",
        "expiration",
        "hosts",
        "id",
        "name",
        "ncores",
        "nnodes",
        "ntasks",
        "priority",
        "problem",
        "rank_set",
        "state",
        "system",
        "urgency",
        "userid",
        "wait_status",
    )

    def __init__(self, jobid: int) -> None:
        self.id = jobid
        self.state = states.NEW
        self.userid = 2**32 - 1
        self.urgency = -1
        self.priority = 0
        self.name: str | None = None
        #: The attributes.system of the jobspec.
        self.system: Mapping[str, Any] = {}
        #: What is wrong with the jobspec: of one that was not checked, nothing is taken.
        self.problem: str | None = None
        self.duration: float | None = None
        self.ntasks: int | None = None
        self.ncores: int | None = None
        self.nnodes: int | None = None
        self.rank_set = IdSet()
        self.hosts = Hostlist()
        self.expiration: float | None = None
        self.wait_status: int | None = None
        self.annotations: dict[str, Any] = {}
        self.dependencies: list[str] = []
        self._times: dict[str, float] = {}
        self._jobspec: Jobspec | None = None
        self._r: dict[str, Any] | None = None
        self._per_resource: Mapping[str, Any] | None = None
        self._exception: Mapping[str, Any] | None = None
        self._success = False

    # -- what constraints and orders ask ---------------------------------------------------

    @property
    def queue(self) -> str | None:
        """The queue that the job is in."""
        return self.system.get("queue")

    @property
    def success(self) -> bool:
        """True if the job ran to its end with status 0 and without a fatal exception."""
        return self._success

    @property
    def exception(self) -> Mapping[str, Any] | None:
        """The type, severity and note of its worst exception, the first of equal ones."""
        return self._exception

    @property
    def result(self) -> int | None:
        """How the job ended, once it is inactive."""
        if self.state != states.INACTIVE:
            return None
        if self._success:
            return states.COMPLETED
        kind = self._exception["type"] if self._exception is not None else ""
        return _RESULTS.get(kind, states.FAILED)

    def time(self, name: str) -> float | None:
        """When a state was entered: ``t_submit``, ``t_depend``, ..."""
        return self._times.get(name)

    def order(self) -> tuple[float, int]:
        """The key that sorts the job among others of the same virtual state.

        Pending jobs: highest priority first, then lowest id. Running and inactive ones: the
        latest to start, or to end, first.
        """
        if self.state == states.INACTIVE:
            return -self._times["t_inactive"], -self.id
        if self.state & states.RUNNING:
            return -self._times.get("t_run", 0.0), -self.id
        return -self.priority, self.id

    # -- what there is to know -------------------------------------------------------------

    def set_jobspec(self, jobspec: Jobspec) -> None:
        """Take what a jobspec says; if it makes no sense, ``problem`` says why."""
        try:
            counts = total(jobspec)
            system = jobspec["attributes"]["system"]
            name = system.get("job", {}).get("name") or _basename(jobspec)
            per_resource = system.get("shell", {}).get("options", {}).get("per-resource")
            kind = per_resource["type"] if per_resource else None
        except (LookupError, TypeError, AttributeError, ValueError):
            self.problem = _problem(jobspec)
            return
        self._jobspec = jobspec
        self.system, self.name, self.duration = system, name, counts.duration
        self._per_resource = per_resource
        if self._r is not None:
            return  # which says how many there are
        self.nnodes = counts.nnodes or None
        whole_nodes = counts.nnodes and counts.exclusive
        self.ncores = None if whole_nodes else counts.ncores
        unknown = (kind == "node" and not counts.nnodes) or (kind == "core" and counts.nnodes)
        self.ntasks = None if unknown else counts.ntasks

    def set_r(self, r: Mapping[str, Any]) -> None:
        """Take what the job's R says.

        :raises ValueError: it is no R
        """
        rset = ResourceSet.from_json(r)
        self._r = dict(r)
        self.expiration = rset.expiration
        self.rank_set = rset.ranks
        self.hosts = rset.nodelist
        self.nnodes, self.ncores = rset.nnodes, rset.ncores
        if self.ntasks is None and self._per_resource is not None:
            of = self.nnodes if self._per_resource["type"] == "node" else self.ncores
            self.ntasks = of * int(self._per_resource.get("count", 1))

    def apply(self, event: Event) -> None:
        """Take what an event says.

        :raises ValueError: its context is malformed
        """
        context = event.context or {}
        take = _EVENTS.get(event.name)
        if take is not None:
            try:
                take(self, context)
            except (KeyError, TypeError, AttributeError):
                raise ValueError(f"{event.name} context invalid") from None
        if event.name == "submit":
            self._times["t_submit"] = event.timestamp
        before = self.state
        self.state = states.next_state(before, event.name, event.context)
        if self.state != before:
            self._times.setdefault(_TIMES[self.state], event.timestamp)

    # -- events ----------------------------------------------------------------------------

    def _submit(self, context: Mapping[str, Any]) -> None:
        self.userid, self.urgency = context["userid"], context["urgency"]

    def _urgency(self, context: Mapping[str, Any]) -> None:
        self.urgency = context["urgency"]

    def _priority(self, context: Mapping[str, Any]) -> None:
        self.priority = context["priority"]

    def _finish(self, context: Mapping[str, Any]) -> None:
        self.wait_status = context["status"]
        fatal = self._exception is not None and self._exception["severity"] == 0
        self._success = self.wait_status == 0 and not fatal

    def _take_exception(self, context: Mapping[str, Any]) -> None:
        worst = self._exception
        if worst is None or context["severity"] < worst["severity"]:
            self._exception = {key: context[key] for key in ("type", "severity", "note")}

    def _alloc(self, context: Mapping[str, Any]) -> None:
        if "annotations" in context:
            self._annotations(context)

    def _annotations(self, context: Mapping[str, Any]) -> None:
        self.annotations = dict(context["annotations"] or {})

    def _memo(self, context: Mapping[str, Any]) -> None:
        self.annotations = _merged(self.annotations, {"user": context})

    def _dependency_add(self, context: Mapping[str, Any]) -> None:
        if context["description"] not in self.dependencies:
            self.dependencies.append(context["description"])

    def _dependency_remove(self, context: Mapping[str, Any]) -> None:
        if context["description"] in self.dependencies:
            self.dependencies.remove(context["description"])

    def _jobspec_update(self, context: Mapping[str, Any]) -> None:
        if self._jobspec is not None:
            self.set_jobspec(update_jobspec(self._jobspec, context))

    def _resource_update(self, context: Mapping[str, Any]) -> None:
        if self._r is not None:
            self.set_r(update_r(self._r, context))


def _problem(jobspec: Jobspec) -> str:
    try:
        validate(jobspec)
    except JobspecError as exc:
        return exc.text
    return "it makes no sense"


def _basename(jobspec: Jobspec) -> str:
    """The name of a job that has none: its program's, with the path if that ends in a slash."""
    program: str = jobspec["tasks"][0]["command"][0]
    return program.rpartition("/")[2] or program


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with what ``new`` says, object by object; null, and what is left empty, goes."""
    merged = dict(old)
    for key, value in new.items():
        if isinstance(value, dict):
            before = merged.get(key)
            value = _merged(before if isinstance(before, dict) else {}, value) or None
        merged[key] = value
    return {key: value for key, value in merged.items() if value is not None}


_RESULTS: Final = {"cancel": states.CANCELED, "timeout": states.TIMEOUT}

_EVENTS: Final[Mapping[str, Callable[[JobInfo, Mapping[str, Any]], None]]] = {
    "submit": JobInfo._submit,
    "urgency": JobInfo._urgency,
    "priority": JobInfo._priority,
    "alloc": JobInfo._alloc,
    "finish": JobInfo._finish,
    "exception": JobInfo._take_exception,
    "annotations": JobInfo._annotations,
    "memo": JobInfo._memo,
    "dependency-add": JobInfo._dependency_add,
    "dependency-remove": JobInfo._dependency_remove,
    "jobspec-update": JobInfo._jobspec_update,
    "resource-update": JobInfo._resource_update,
}
