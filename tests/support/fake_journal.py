"""A job manager that only has a journal, for tests of job-list; and the events of jobs."""

import itertools
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Method, Reply
from fluxcore.wire.message import Message
from support.jobspecs import make_jobspec, make_r
from support.wired import OWNER, Wired

#: The events of a job that runs, in order.
LIFE = ("submit", "validate", "depend", "priority", "alloc", "start", "finish", "release", "free")


def event(name: str, timestamp: float = 1.0, **context: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"timestamp": timestamp, "name": name}
    if context:
        obj["context"] = context
    return obj


def event_of(name: str, timestamp: float, userid: int = OWNER, **more: Any) -> dict[str, Any]:
    """An event with the context that it always has."""
    contexts: dict[str, dict[str, Any]] = {
        "submit": {"userid": userid, "urgency": 16, "flags": 0, "version": 1},
        "priority": {"priority": 16},
        "alloc": {"annotations": {"sched": {"resource_summary": "rank0/core0"}}},
        "finish": {"status": 0},
        "release": {"ranks": "all", "final": True},
        "exception": {"type": "cancel", "severity": 0, "note": ""},
    }
    return event(name, timestamp, **{**contexts.get(name, {}), **more})


class Journal:
    """Lives in rank 0's own handle."""

    def __init__(self, wired: Wired) -> None:
        self.flux: Flux = wired.flux()
        self.history: list[dict[str, Any]] = []
        self.watchers = RequestList(self.flux)
        #: Whether the history is over when somebody begins to read.
        self.complete = True
        self._now = itertools.count(1)
        self.flux.core.add_method("job-manager.events-journal", Method(self._journal))
        wired.brokers[0].router.add_service("job-manager", wired.brokers[0].own)

    def _journal(self, req: Message) -> Reply:
        for entry in self.history:
            self.flux.respond(req, entry)
        self.watchers.add(req)
        if self.complete:
            self.flux.respond(req, {"id": -1, "events": []})
        return DEFERRED

    def tell(self, jobid: int, *events: dict[str, Any], **more: Any) -> None:
        """A job has had events."""
        entry = {"id": jobid, "events": list(events), **more}
        self.history.append(entry)
        self.watchers.respond(entry)

    def live(self, jobid: int, until: str = "clean", userid: int = OWNER, **how: Any) -> None:
        """Let a job live until an event, one that it has had already being passed over."""
        jobspec = make_jobspec("prog", **how)
        for name in (*LIFE, "clean"):
            now = float(next(self._now))
            if name == "submit":
                self.tell(jobid, event_of(name, now, userid), jobspec=jobspec)
            elif name == "alloc":
                self.tell(jobid, event_of(name, now), R=make_r([0]))
            else:
                self.tell(jobid, event_of(name, now))
            if name == until:
                break

    def more(self, jobid: int, *names: str, **context: Any) -> None:
        """Further events of a job."""
        for name in names:
            self.tell(jobid, event_of(name, float(next(self._now)), **context))
