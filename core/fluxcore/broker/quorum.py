"""Who is online, and whether that is enough to begin (CONTRACTS B15).

Each broker joins the group ``broker.online`` in QUORUM; rank 0 watches it.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.state import State
from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR
from fluxcore.job.fsd import parse_fsd
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

_GROUP = "broker.online"


class Quorum:
    """Posts ``quorum-full`` or ``quorum-fail``; warns of brokers that take long, and of lost ones.

    :param state: gives the broker's state
    """

    def __init__(
        self,
        flux: Flux,
        attrs: Attributes,
        size: int,
        post: Callable[[str], None],
        state: Callable[[], State],
    ) -> None:
        self._flux = flux
        self._attrs = attrs
        self._size = size
        self._post = post
        self._state = state
        self._online = IdSet()
        self._timer: asyncio.TimerHandle | None = None
        self._warned = False

    def join(self) -> None:
        """Be online."""
        self._flux.task(self._rpc_or_fail(self._join()), "groups.join")

    def watch(self) -> None:
        """Wait for the others (on rank 0)."""
        self._flux.task(self._rpc_or_fail(self._watch()), "groups.get")
        self._warn_later()

    async def _rpc_or_fail(self, work: Awaitable[None]) -> None:
        try:
            await work
        except OSError:
            self._post("quorum-fail")
            raise

    async def _join(self) -> None:
        await self._flux.rpc("groups.join", {"name": _GROUP})

    async def _watch(self) -> None:
        needed = int(self._attrs["broker.quorum"])
        async for update in self._flux.stream("groups.get", {"name": _GROUP}):
            self._changed(IdSet.decode(update.json["members"]), needed)

    def _changed(self, online: IdSet, needed: int) -> None:
        gone, self._online = self._online - online, online
        if self._state() is State.QUORUM and len(online) >= needed:
            self._post("quorum-full")
            if self._warned:
                self._flux.log(LOG_ERR, "quorum reached")
                self._warned = False
        if gone and self._state() in (State.RUN, State.CLEANUP):
            hosts = self._hosts(gone)
            self._flux.log(LOG_ERR, f"dead to Flux: {hosts} (rank {gone.encode()})")

    def _hosts(self, ranks: IdSet) -> str:
        hosts = Hostlist.decode(self._attrs.get("hostlist") or "")
        return Hostlist(hosts[rank] for rank in ranks).encode()

    def _warn_later(self) -> None:
        period = self._attrs["broker.quorum-warn"]
        if period != "none":
            self._timer = self._flux.loop.call_later(parse_fsd(period), self._warn)

    def _warn(self) -> None:
        if self._state() is State.QUORUM:
            missing = IdSet(range(self._size)) - self._online
            text = f"quorum delayed: waiting for {self._hosts(missing)} (rank {missing.encode()})"
            self._flux.log(LOG_ERR, text)
            self._warned = True
            self._warn_later()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
