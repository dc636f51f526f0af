"""Eventlogs on their way to the KVS.

What is posted in one loop turn, to however many jobs, is one commit. There is one commit at a
time, and one in ten milliseconds unless somebody waits for it; what comes meanwhile goes with the
next. So a busy instance makes few large commits, and an idle one writes at once.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import append
from fluxcore.modules.job_manager.job import Job
from fluxcore.wire.message import Message

#: Seconds from one commit to the next; flux-core gathers events for as long before each.
_PACE: Final = 0.01


class EventBatch:
    """Gathers lines of eventlogs and commits them.

    ``failed`` is told of a commit that was not carried out: events are lost then.
    """

    def __init__(self, flux: Flux, failed: Callable[[OSError], None]) -> None:
        self._flux = flux
        self._failed = failed
        self._lines: dict[int, list[bytes]] = {}
        self._then: list[Callable[[], None]] = []
        self._planned: asyncio.Handle | None = None
        self._flushed = -_PACE
        self._flying = False
        self._broken = False
        self._finished: asyncio.Future[None] | None = None
        #: Seconds from one commit to the next, unless somebody waits.
        self.timeout = _PACE

    def append(self, job: Job, line: bytes) -> None:
        """Add ``line`` to the eventlog of ``job``."""
        lines = self._lines.get(job.id)
        if lines is None:
            lines = self._lines[job.id] = []
            self._plan()
        lines.append(line)

    def withdraw(self, job: Job) -> None:
        """Do not write what has been gathered of ``job``."""
        self._lines.pop(job.id, None)

    def then(self, function: Callable[[], None]) -> None:
        """Call ``function`` when all that has been gathered, or is under way, is written."""
        self._then.append(function)
        self._plan()

    def _plan(self) -> None:
        """Commit in time: at the end of the loop turn if somebody waits."""
        if self._flying or self._broken:
            return
        loop = self._flux.loop
        if self._planned is not None:
            if not self._then:
                return
            self._planned.cancel()
        left = 0.0 if self._then else self._flushed + self.timeout - loop.time()
        if left > 0:
            self._planned = loop.call_later(left, self._flush)
        else:
            self._planned = loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = None
        if self._flying or not self._flux.connected:
            return
        self._flushed = self._flux.loop.time()
        lines, self._lines = self._lines, {}
        then, self._then = self._then, []
        if not lines:
            self._done(then)
            return
        self._flying = True
        ops = [
            append(kvs_key(jobid, "eventlog"), b"".join(parts)) for jobid, parts in lines.items()
        ]
        payload: dict[str, Any] = {"namespace": PRIMARY, "flags": 0, "ops": ops}
        self._flux.rpc("kvs.commit", payload).then(lambda answer: self._committed(answer, then))

    def _committed(self, answer: Message, then: list[Callable[[], None]]) -> None:
        self._flying = False
        if answer.errnum:
            self._broken = True
            self._tell_finished()
            self._failed(rpc_error(answer.errnum, answer.text))
        else:
            self._done(then)

    def _done(self, then: list[Callable[[], None]]) -> None:
        for function in then:
            function()
        if self._lines or self._then:
            self._plan()
        else:
            self._tell_finished()

    def _tell_finished(self) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    async def finish(self) -> None:
        """Write all that has been gathered; returns when it is written, or cannot be."""
        while self._flux.connected and not self._broken and self._busy:
            self._finished = self._flux.loop.create_future()
            await self._finished

    @property
    def _busy(self) -> bool:
        return bool(self._lines or self._then or self._flying)
