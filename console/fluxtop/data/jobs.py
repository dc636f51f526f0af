"""The jobs of an instance: a list once, then what happens to each of them.

The owner follows the job manager's journal, which tells every event of every job; a guest, who
may not, asks for the list again and again, each time a moment after the answer.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.job import jobid
from fluxcore.job.eventlog import Event, from_object
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_list, opt_int, opt_str
from fluxtop.data.source import DEADLINE, LONG_DEADLINE
from fluxtop.data.stream import batches

#: Jobs asked for: all that are active, and of the inactive ones the latest.
MOST: Final = 10_000
#: Seconds between an answer and the next question, for guests.
PAUSE: Final = 2.0

#: Seconds for an answer that somebody waits for before the console.
_AT_ONCE: Final = 1.0

_ATTRS: Final = (
    "userid",
    "name",
    "queue",
    "state",
    "result",
    "ntasks",
    "nnodes",
    "ranks",
    "nodelist",
    "t_submit",
    "t_run",
    "t_cleanup",
    "waitstatus",
    "exception_occurred",
    "exception_type",
    "exception_note",
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the list shows it.

    ``state`` and ``result`` are numbers of RFC 21 (``fluxcore.job.states``), times are seconds
    since 1970 and None until they are known, ``ranks`` is an idset and ``nodelist`` a hostlist;
    ``note`` is what an exception said.
    """

    id: int
    userid: int = -1
    name: str = ""
    queue: str = ""
    state: int = 1
    result: int | None = None
    ntasks: int = 0
    nnodes: int | None = None
    ranks: str = ""
    nodelist: str = ""
    t_submit: float | None = None
    t_run: float | None = None
    t_end: float | None = None
    status: int | None = None
    exception: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class JobList:
    """All jobs, in no order."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class JobEvents:
    """What has happened to a job; its jobspec and R with the events that they belong to."""

    id: int
    events: tuple[Event, ...]
    jobspec: Mapping[str, Any] | None = None
    R: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """Events that have come together."""

    jobs: tuple[JobEvents, ...]


JobsMessage = JobList | JobsChanged


@dataclass(frozen=True, slots=True)
class JobsWatch:
    """Follow all jobs."""

    async def follow(self, flux: Flux, emit: Callable[[JobsMessage], None]) -> None:
        """Emit the JobList, then JobsChanged as things happen (a guest: more lists)."""
        try:
            await self._journal(flux, emit)
        except PermissionError:
            while True:
                emit(await read_list(flux))
                await asyncio.sleep(PAUSE)

    async def _journal(self, flux: Flux, emit: Callable[[JobsMessage], None]) -> None:
        """The journal is opened first and the list read after its backlog, so nothing is missed;
        what both tell is told twice, which does no harm.
        """
        stream = flux.stream(
            "job-manager.events-journal", {}, cancel="job-manager.events-journal-cancel"
        )
        listed = False
        held: list[JobEvents] = []
        async with aclosing(batches(stream)) as handfuls:
            async for batch in handfuls:
                held += [decode_events(msg) for msg in batch]
                if not listed and any(job.id == -1 for job in held):
                    emit(await read_list(flux))
                    listed = True
                if listed:
                    emit(JobsChanged(tuple(job for job in held if job.id != -1)))
                    held.clear()
        raise rpc_error(errno.ENODATA, "job-manager tells of no more jobs")


async def read_list(flux: Flux) -> JobList:
    """Ask for the jobs (CONTRACTS D12)."""
    payload = {"max_entries": MOST, "attrs": list(_ATTRS)}
    answer = await flux.rpc("job-list.list", payload, timeout=LONG_DEADLINE)
    return JobList(tuple(decode_job(job) for job in need_list(answer.json, "jobs")))


def decode_job(obj: Mapping[str, Any]) -> Job:
    """A job of job-list's.

    :raises PayloadError: it is none
    """
    return Job(
        id=need_int(obj, "id"),
        userid=opt_int(obj, "userid", -1),
        name=opt_str(obj, "name") or "",
        queue=opt_str(obj, "queue") or "",
        state=opt_int(obj, "state", 1),
        result=obj.get("result"),
        ntasks=opt_int(obj, "ntasks", 0),
        nnodes=obj.get("nnodes"),
        ranks=(opt_str(obj, "ranks") or "").strip("[]"),
        nodelist=opt_str(obj, "nodelist") or "",
        t_submit=obj.get("t_submit"),
        t_run=obj.get("t_run"),
        t_end=obj.get("t_cleanup"),
        status=obj.get("waitstatus"),
        exception=opt_str(obj, "exception_type") or "",
        note=opt_str(obj, "exception_note") or "",
    )


def decode_events(msg: Message) -> JobEvents:
    """A response of the journal (CONTRACTS D9); the one between backlog and live has id -1.

    :raises PayloadError: it is none
    """
    payload = msg.json
    try:
        events = tuple(from_object(event) for event in need_list(payload, "events"))
    except ValueError:
        raise PayloadError from None
    return JobEvents(
        id=need_int(payload, "id"),
        events=events,
        jobspec=need_dict(payload, "jobspec") if "jobspec" in payload else None,
        R=need_dict(payload, "R") if "R" in payload else None,
    )


@dataclass(frozen=True, slots=True)
class CountActive:
    """Count the jobs that have not ended."""

    async def run(self, flux: Flux) -> int:
        """Their number; asked when the user leaves, who does not wait for it long."""
        answer = await flux.rpc("job-list.job-stats", timeout=_AT_ONCE)
        by_state = need_dict(answer.json, "job_states")
        return need_int(by_state, "total") - need_int(by_state, "inactive")


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Cancel a job."""

    id: int

    def command(self, _own_rank: int) -> str:
        """The equivalent command."""
        return f"flux cancel {jobid.f58(self.id)}"

    async def run(self, flux: Flux) -> None:
        """Raise the exception that cancels it (CONTRACTS D5).

        :raises OSError: ENOENT if it is unknown or has ended
        """
        payload = {"id": self.id, "severity": 0, "type": "cancel"}
        await flux.rpc("job-manager.raise", payload, timeout=DEADLINE)
