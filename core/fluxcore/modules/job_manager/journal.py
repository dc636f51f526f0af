"""The journal: every event of every job as it happens (job-manager.events-journal, CONTRACTS D9).

A listener gets the jobs there are, each with all its events, then a response with id -1 and no
events, and from then on a response for the events that happen to a job at once; the jobspec goes
with a job's first event and R with its allocation.
"""

import errno
from collections.abc import Iterable
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.job_manager.job import EventObject, Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.message import Message
from fluxcore.wire.payload import opt_bool

#: The id that ends the backlog.
_SENTINEL: Final = -1
#: What is told of a job beside its events, and with which of them.
_GOES_WITH: Final = {"jobspec": "submit", "R": "alloc"}


class Journal(Service):
    """Serves the journal."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine
        self._listeners = RequestList(flux)
        self._entry: dict[str, Any] | None = None
        self.count = 0

    def posted(self, job: Job, event: EventObject) -> None:
        """Tell the listeners of an event, with the next :meth:`flush` at the latest."""
        self.count += 1
        if not self._listeners:
            return
        entry = self._entry
        if entry is None or entry["id"] != job.id:
            self.flush()
            entry = self._entry = {"id": job.id, "events": []}
        entry["events"].append(event)
        if event["name"] == "submit":
            entry["jobspec"] = job.jobspec
        elif event["name"] == "alloc":
            entry["R"] = job.r

    def flush(self) -> None:
        """Send the listeners what they have not been told."""
        entry, self._entry = self._entry, None
        if entry is None:
            return
        for req in self._listeners:
            told = _part(req, entry)
            if told is not None:
                self._flux.respond(req, told)

    @method("job-manager.events-journal")
    def listen(self, req: Message) -> Reply:
        """``{allow?, deny?, full?}``, streaming; ``full`` begins with the inactive jobs."""
        full = opt_bool(req.json, "full")
        if not req.streaming:
            raise rpc_error(errno.EPROTO, "job-manager.events requires streaming RPC flag")
        for key in ("allow", "deny"):
            if not isinstance(req.json.get(key, {}), dict):
                text = f"job-manager.events {key} should be an object"
                raise rpc_error(errno.EPROTO, text)
        if full:
            self._send_backlog(req, self._machine.inactive.values())
        self._send_backlog(req, self._machine.active.values())
        self._flux.respond(req, {"id": _SENTINEL, "events": []})
        self._listeners.add(req)
        return DEFERRED

    def _send_backlog(self, req: Message, jobs: Iterable[Job]) -> None:
        for job in list(jobs):
            events = _wanted(req, job.events())
            entry: dict[str, Any] = {"id": job.id, "events": events, "jobspec": job.jobspec}
            if job.r is not None:
                entry["R"] = job.r
            self._flux.respond(req, entry)

    @method("job-manager.events-journal-cancel")
    def cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end it."""
        self._listeners.cancel(req)
        return DEFERRED

    def disconnect(self, req: Message) -> None:
        """A client is gone."""
        self._listeners.disconnect(req)

    def end(self) -> None:
        """There will be no more events."""
        self._listeners.end()

    def stats(self) -> dict[str, Any]:
        """Its part of job-manager.stats-get."""
        return {"listeners": len(self._listeners), "events": self.count}


def _part(req: Message, entry: dict[str, Any]) -> dict[str, Any] | None:
    """What a listener wants of ``entry``; None if that is nothing."""
    events = _wanted(req, entry["events"])
    if events is entry["events"]:
        return entry
    names = {event["name"] for event in events}
    with_them = {
        key: entry[key] for key, name in _GOES_WITH.items() if key in entry and name in names
    }
    return {"id": entry["id"], "events": events, **with_them} if events else None


def _wanted(req: Message, events: list[EventObject]) -> list[EventObject]:
    """Those of ``events`` that a listener wants."""
    names = req.json
    if "allow" in names:
        events = [event for event in events if event["name"] in names["allow"]]
    if "deny" in names:
        events = [event for event in events if event["name"] not in names["deny"]]
    return events
