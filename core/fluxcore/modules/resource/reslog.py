"""The resource eventlog (CONTRACTS H5): what happens to the instance's resources.

Drains and definitions are kept in the KVS; who is online is not, for it is found out anew. Events
are told to the parts of the module and to the listeners of resource.journal in their order, each
when it is safe.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job.eventlog import Event
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import append
from fluxcore.wire.message import Message

#: Where it is in the KVS.
KEY: Final = "resource.eventlog"
_DEFINE: Final = "resource-define"
#: How many events of the backlog go into one response.
_BATCH: Final = 100

#: Told of an event.
Watcher = Callable[[Event], None]


@dataclass(slots=True)
class _Pending:
    event: Event
    then: Callable[[OSError | None], None] | None
    safe: bool


class Reslog(Service):
    """Posts events and serves resource.journal. ``r`` gives the instance's R."""

    def __init__(self, flux: Flux, clock: Callable[[], float], r: Callable[[], Any]) -> None:
        self._flux = flux
        self._clock = clock
        self._r = r
        self._events: deque[Event] = deque()
        self._limit = 0
        self._pending: deque[_Pending] = deque()
        self._watchers: list[Watcher] = []
        self._listeners = RequestList(flux)

    def load(self, events: Iterable[Event], limit: int) -> None:
        """Begin with the events of before, of which the definitions are of no use."""
        self._events.extend(event for event in events if event.name != _DEFINE)
        self.set_limit(limit)

    def set_limit(self, limit: int) -> None:
        """Keep at most so many events for the journal."""
        self._limit = limit
        self._truncate()

    def _truncate(self) -> None:
        if len(self._events) <= self._limit:
            return
        while len(self._events) >= max(self._limit, 1):
            last = self._events.popleft()
        self._events.appendleft(Event(last.timestamp, "truncate"))

    def watch(self, watcher: Watcher) -> None:
        """Tell ``watcher`` of each event."""
        self._watchers.append(watcher)

    # -- posting ---------------------------------------------------------------------------

    def post(
        self,
        name: str,
        context: Mapping[str, Any],
        *,
        commit: bool = False,
        then: Callable[[OSError | None], None] | None = None,
        timestamp: float | None = None,
    ) -> None:
        """Post an event; with ``commit`` it is kept.

        ``then`` is called before anybody is told, with None, or with the error of the KVS.
        """
        event = Event(self._clock() if timestamp is None else timestamp, name, context)
        pending = _Pending(event, then, safe=not commit)
        self._pending.append(pending)
        if commit:
            ops = [append(KEY, event.encode())]
            payload = {"namespace": PRIMARY, "flags": 0, "ops": ops}
            self._flux.rpc("kvs.commit", payload).then(
                lambda answer: self._committed(pending, answer)
            )
        else:
            self._tell_safe()

    def _committed(self, pending: _Pending, answer: Message) -> None:
        if answer.errnum:
            self._flux.log(LOG_ERR, f"committing to {KEY}: {answer.text or answer.errnum}")
            self._pending.remove(pending)
            if pending.then is not None:
                pending.then(rpc_error(answer.errnum, answer.text))
        pending.safe = True
        self._tell_safe()

    def _tell_safe(self) -> None:
        while self._pending and self._pending[0].safe:
            pending = self._pending.popleft()
            self._events.append(pending.event)
            self._truncate()
            if pending.then is not None:
                pending.then(None)
            for watcher in self._watchers:
                watcher(pending.event)
            self._listeners.respond(self._entry(pending.event))

    def _entry(self, event: Event) -> dict[str, Any]:
        entry: dict[str, Any] = {"events": [event.to_object()]}
        if event.name == _DEFINE:
            entry["R"] = self._r()
        return entry

    # -- the journal -----------------------------------------------------------------------

    @method("resource.journal")
    def journal(self, req: Message) -> Reply:
        """Streaming: what has happened, an empty array, then each event as it happens."""
        if not req.streaming:
            raise rpc_error(errno.EPROTO, "journal requires streaming RPC flag")
        for entry in self._backlog():
            self._flux.respond(req, entry)
        self._flux.respond(req, {"events": []})
        self._listeners.add(req)
        return DEFERRED

    def _backlog(self) -> Iterator[dict[str, Any]]:
        """What has happened, many events a response; a definition goes alone, with its R."""
        batch: list[dict[str, Any]] = []
        for event in self._events:
            if batch and (event.name == _DEFINE or len(batch) == _BATCH):
                yield {"events": batch}
                batch = []
            if event.name == _DEFINE:
                yield self._entry(event)
            else:
                batch.append(event.to_object())
        if batch:
            yield {"events": batch}

    @method("resource.journal-cancel")
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
