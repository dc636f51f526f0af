"""The tree of brokers: what is followed of it.

The topology is read once for each connection. Health comes as streams, one from each broker
whose children are looked at: a broker that reports *full* speaks for everything below it, so a
healthy instance of ten thousand brokers costs one stream.
"""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.resource.hostlist import Hostlist
from fluxcore.wire.payload import need_int, need_list, need_str, opt_str
from fluxtop.data.source import DEADLINE
from fluxtop.data.stream import batches


@dataclass(frozen=True, slots=True)
class Topology:
    """Who is whose parent, by rank (-1 for the root), and the host of each rank."""

    parents: tuple[int, ...]
    hosts: Hostlist


@dataclass(frozen=True, slots=True)
class Subtree:
    """A broker and what is below it: its state, the seconds spent in it, and why."""

    rank: int
    status: str
    duration: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What a broker says of its own subtree and of those of its children."""

    own: Subtree
    children: tuple[Subtree, ...]


@dataclass(frozen=True, slots=True)
class TopologyWatch:
    """Read the topology."""

    async def follow(self, flux: Flux, emit: Callable[[Topology], None]) -> None:
        """Emit it once."""
        answer = await flux.rpc("overlay.topology", {"rank": 0}, nodeid=0, timeout=DEADLINE)
        emit(Topology(decode_topology(answer.json), await _hosts(flux)))


@dataclass(frozen=True, slots=True)
class HealthWatch:
    """Follow the health of a broker and of its children."""

    rank: int

    async def follow(self, flux: Flux, emit: Callable[[Health], None]) -> None:
        """Emit it now and whenever it changes."""
        # The service has no cancel of its own; this ends our streams there and nothing else.
        stream = flux.stream("overlay.health", nodeid=self.rank, cancel="overlay.disconnect")
        async with aclosing(batches(stream)) as handfuls:
            async for batch in handfuls:
                emit(decode_health(batch[-1].json))


async def _hosts(flux: Flux) -> Hostlist:
    try:
        answer = await flux.rpc("attr.get", {"name": "hostlist"}, timeout=DEADLINE)
        return Hostlist.decode(need_str(answer.json, "value"))
    except (FileNotFoundError, ValueError):
        return Hostlist()


def decode_topology(payload: Mapping[str, Any]) -> tuple[int, ...]:
    """The parent of each rank, from an overlay.topology answer of rank 0.

    :raises PayloadError: it is none
    """
    parents: dict[int, int] = {}
    todo = [(payload, -1)]
    while todo:
        node, parent = todo.pop()
        rank = need_int(node, "rank")
        parents[rank] = parent
        todo += [(child, rank) for child in need_list(node, "children")]
    return tuple(parents.get(rank, 0) for rank in range(max(parents) + 1))


def decode_health(payload: Mapping[str, Any]) -> Health:
    """An overlay.health answer (CONTRACTS A35).

    :raises PayloadError: it is none
    """
    children = need_list(payload, "children") if "children" in payload else []
    return Health(_subtree(payload), tuple(_subtree(child) for child in children))


def _subtree(obj: Mapping[str, Any]) -> Subtree:
    return Subtree(
        rank=need_int(obj, "rank"),
        status=need_str(obj, "status"),
        duration=float(obj.get("duration", 0.0)),
        error=opt_str(obj, "error") or "",
    )
