"""What the header says of an instance: its size and place, its state, its heartbeat."""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.wire.constants import NODEID_ANY
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str
from fluxtop.data.source import DEADLINE

#: Seconds between the answer to one question about the broker's state and the next question.
PAUSE: Final = 2.0
_HEARTBEAT: Final = "heartbeat.pulse"


@dataclass(frozen=True, slots=True)
class Instance:
    """What an instance is; none of it changes while it lives.

    ``depth`` is how many instances enclose it, ``jobid_path`` the jobs that they ran it as (``/``
    for none), ``started`` when its broker started in seconds
    since 1970 (None where the broker does not say).
    """

    rank: int
    size: int
    depth: int
    jobid_path: str
    version: str
    started: float | None


@dataclass(frozen=True, slots=True)
class State:
    """The broker's state (CONTRACTS A40), the seconds spent in it and the answer's delay."""

    word: str
    duration: float
    latency: float


@dataclass(frozen=True, slots=True)
class Pulse:
    """A heartbeat, by its sequence number."""

    seq: int


InstanceMessage = Instance | State | Pulse


@dataclass(frozen=True, slots=True)
class InstanceWatch:
    """Follow what the header shows."""

    async def follow(self, flux: Flux, emit: Callable[[InstanceMessage], None]) -> None:
        """Emit the Instance, then each Pulse as it comes and the State every few seconds."""
        emit(await read_instance(flux))

        def beat(event: Message) -> None:
            emit(Pulse(event.seq))

        async with asyncio.timeout(DEADLINE):
            await flux.subscribe(_HEARTBEAT, beat)
        try:
            while True:
                emit(await read_state(flux))
                await asyncio.sleep(PAUSE)
        finally:
            if flux.connected:
                with suppress(OSError):
                    async with asyncio.timeout(DEADLINE):
                        await flux.unsubscribe(_HEARTBEAT, beat)


async def read_instance(flux: Flux) -> Instance:
    """Ask for the attributes, all at once."""
    names = ("rank", "size", "instance-level", "jobid-path", "version", "broker.starttime")
    values = await asyncio.gather(*(_attr(flux, name) for name in names))
    rank, size, level, path, version, started = values
    if rank is None or size is None:
        raise OSError(errno.EPROTO, "the broker does not know its rank and size")
    return Instance(
        rank=int(rank),
        size=int(size),
        depth=int(level or 0),
        jobid_path=path or "/",
        version=version or "",
        started=float(started) if started else None,
    )


async def _attr(flux: Flux, name: str) -> str | None:
    try:
        answer = await flux.rpc("attr.get", {"name": name}, timeout=DEADLINE)
    except FileNotFoundError:
        return None
    return need_str(answer.json, "value")


async def read_state(flux: Flux) -> State:
    """Ask the broker that we are attached to for its state, and take the time."""
    began = flux.loop.time()
    answer = await flux.rpc("state-machine.get", nodeid=NODEID_ANY, timeout=DEADLINE)
    latency = flux.loop.time() - began
    return State(need_str(answer.json, "state"), float(answer.json["duration"]), latency)
