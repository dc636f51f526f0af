"""One job: its events, its output, and the documents that belong to it."""

import errno
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.calls import Stream
from fluxcore.job.eventlog import Event, decode
from fluxcore.job.output import Header, Output
from fluxcore.job.output import decode as decode_output
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str
from fluxtop.data.source import DEADLINE
from fluxtop.data.stream import batches

# A flag of job-info.eventlog-watch: wait for a log that is not there yet (CONTRACTS D11).
_WAITCREATE: Final = 1


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of the job's main eventlog; ``first`` ones replace what was shown."""

    first: bool
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Printed:
    """What the job's tasks have written; the ``first`` replaces what was shown.

    ``end`` is true once there is no more to come.
    """

    first: bool
    output: tuple[Output, ...]
    end: bool = False


@dataclass(frozen=True, slots=True)
class JobWatch:
    """Follow the eventlog of a job."""

    id: int

    async def follow(self, flux: Flux, emit: Callable[[Happened], None]) -> None:
        """Emit its events until the last one.

        :raises OSError: ENOENT if there is no such job, EPERM if it is somebody else's
        """
        first = True
        async with aclosing(batches(watch_eventlog(flux, self.id, "eventlog"))) as handfuls:
            async for batch in handfuls:
                emit(Happened(first, tuple(decode_event(msg) for msg in batch)))
                first = False


@dataclass(frozen=True, slots=True)
class OutputWatch:
    """Follow the output of a job that has started."""

    id: int

    async def follow(self, flux: Flux, emit: Callable[[Printed], None]) -> None:
        """Emit what it writes until the end.

        A job that ended before its shell could open an output log has none: that is an end too.
        """
        header: Header | None = None
        first = True
        try:
            stream = watch_eventlog(flux, self.id, "guest.output", _WAITCREATE)
            async with aclosing(batches(stream)) as handfuls:
                async for batch in handfuls:
                    printed: list[Output] = []
                    for msg in batch:
                        output = _decode_output(decode_event(msg), header)
                        header = output if isinstance(output, Header) else header
                        printed += [output] if output is not None else []
                    emit(Printed(first, tuple(printed)))
                    first = False
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTSUP):
                raise
        emit(Printed(first, (), end=True))


def watch_eventlog(flux: Flux, job: int, path: str, flags: int = 0) -> Stream:
    """The stream of a job's eventlog (CONTRACTS D11)."""
    payload = {"id": job, "path": path, "flags": flags}
    return flux.stream("job-info.eventlog-watch", payload, cancel="job-info.eventlog-watch-cancel")


def decode_event(msg: Message) -> Event:
    """The event in a response.

    :raises PayloadError: there is none
    """
    try:
        return decode(need_str(msg.json, "event"))
    except ValueError:
        raise PayloadError from None


def _decode_output(event: Event, header: Header | None) -> Output | None:
    try:
        return decode_output(event, header)
    except ValueError:
        raise PayloadError from None


@dataclass(frozen=True, slots=True)
class JobDocument:
    """Read a document of a job: ``jobspec`` or ``R``."""

    id: int
    key: str

    async def run(self, flux: Flux) -> str:
        """Its JSON text.

        :raises OSError: ENOENT if it has none (yet)
        """
        payload = {"id": self.id, "keys": [self.key], "flags": 0}
        answer = await flux.rpc("job-info.lookup", payload, timeout=DEADLINE)
        return need_str(answer.json, self.key)
