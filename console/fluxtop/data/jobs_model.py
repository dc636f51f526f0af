"""The jobs as rows: what events make of them (RFC 21)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from fluxcore.job import jobid, states
from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec_counts import total
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxtop.data.jobs import Job, JobEvents, JobList, JobsMessage
from fluxtop.data.rows import Rows

#: The results that types of fatal exceptions lead to; any other type is a failure.
_RESULTS: Final = {"cancel": states.CANCELED, "timeout": states.TIMEOUT}


class JobsModel:
    """All jobs, the newest first, and those of them that the filter lets through."""

    def __init__(self) -> None:
        self.rows: Rows[int, Job] = Rows(lambda job: job.id, reverse=True)
        self.active_only = False
        self._needle = ""
        #: How many jobs there are of each kind; kept, for nothing may walk all jobs per event.
        self._tally: Counter[str] = Counter()

    def apply(self, message: JobsMessage) -> None:
        """Take a list, or what has happened."""
        if isinstance(message, JobList):
            self.rows.replace(message.jobs)
            self._tally = Counter(map(_kind, self.rows.everything()))
            return
        for told in message.jobs:
            old = self.rows.get(told.id)
            new = advance(old or Job(told.id), told)
            if old is not None:
                self._tally[_kind(old)] -= 1
            self._tally[_kind(new)] += 1
            self.rows.put(new)

    def show(self, *, active_only: bool | None = None, needle: str | None = None) -> None:
        """Show only active jobs, only those that contain ``needle``, or all."""
        self.active_only = self.active_only if active_only is None else active_only
        self._needle = self._needle if needle is None else needle.lower()
        plain = not self.active_only and not self._needle
        self.rows.filter(None if plain else self._keeps)

    def _keeps(self, job: Job) -> bool:
        if self.active_only and job.state == states.INACTIVE:
            return False
        text = f"{jobid.f58(job.id)} {job.id} {job.name} {word(job)} {job.queue} {job.nodelist}"
        return self._needle in text.lower()

    def counts(self) -> tuple[int, int, int]:
        """How many jobs are pending, running and failed."""
        return self._tally["pending"], self._tally["running"], self._tally["failed"]


def _kind(job: Job) -> str:
    if job.state & states.RUNNING:
        return "running"
    if job.state != states.INACTIVE:
        return "pending"
    return "failed" if job.result in (states.FAILED, states.TIMEOUT) else "over"


def word(job: Job) -> str:
    """The state of a job in a word; of one that has ended, its result."""
    if job.state == states.INACTIVE and job.result is not None:
        return states.result_name(job.result).lower()
    return states.state_name(job.state).lower()


def advance(job: Job, told: JobEvents) -> Job:
    """``job`` after what it is told.

    Events that it knows already change nothing, so a backlog may be told again.
    """
    if told.jobspec is not None and not job.name:
        job = replace(job, **_from_jobspec(told.jobspec))
    if told.R is not None:
        job = replace(job, **_from_R(told.R))
    for event in told.events:
        job = _apply(job, event)
    return job


def _apply(job: Job, event: Event) -> Job:
    context = event.context or {}
    state = states.next_state(job.state, event.name, context)
    changes: dict[str, Any] = {} if state == job.state else {"state": state}
    if event.name == "submit":
        changes |= {"t_submit": event.timestamp, "userid": int(context.get("userid", -1))}
    elif event.name == "finish":
        changes["status"] = context.get("status")
    elif event.name == "exception" and context.get("severity") == 0 and not job.exception:
        changes["exception"] = str(context.get("type", ""))
        changes["note"] = str(context.get("note", ""))
    if state != job.state and state == states.RUN:
        changes["t_run"] = event.timestamp
    elif state != job.state and state == states.CLEANUP:
        changes["t_end"] = event.timestamp
    job = replace(job, **changes) if changes else job
    if job.state == states.INACTIVE and job.result is None:
        return replace(job, result=_result(job))
    return job


def _result(job: Job) -> int:
    if job.exception:
        return _RESULTS.get(job.exception, states.FAILED)
    return states.COMPLETED if job.status == 0 else states.FAILED


def _from_jobspec(jobspec: Mapping[str, Any]) -> dict[str, Any]:
    """The name, queue and counts; a jobspec that is odd has none of them."""
    try:
        system = jobspec["attributes"]["system"]
        command = jobspec["tasks"][0]["command"]
        name = system.get("job", {}).get("name") or str(command[0]).rpartition("/")[2]
        counts = total(dict(jobspec))
    except (KeyError, IndexError, TypeError):
        return {}
    return {
        "name": name,
        "queue": system.get("queue", ""),
        "ntasks": counts.ntasks,
        "nnodes": counts.nnodes or None,
    }


def _from_R(R: Mapping[str, Any]) -> dict[str, Any]:
    """Where the job runs (RFC 20)."""
    try:
        execution = R["execution"]
        ranks = IdSet()
        for part in execution["R_lite"]:
            ranks |= IdSet.decode(part["rank"])
        hosts = [h for text in execution.get("nodelist", ()) for h in Hostlist.decode(text)]
    except (KeyError, TypeError, ValueError):
        return {}
    return {
        "nnodes": len(ranks),
        "ranks": ranks.encode(),
        "nodelist": Hostlist(hosts).encode(),
    }
