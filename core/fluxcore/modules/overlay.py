"""The overlay service: the tree and its health (CONTRACTS A35)."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.requests import RequestList
from fluxcore.overlay.children import Child
from fluxcore.overlay.overlay import Overlay
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str


class OverlayModule(Module):
    """Serves overlay.health and the rest. Built in: it is given the overlay itself."""

    name = "overlay"
    placement = "loop"

    def __init__(
        self, flux: Flux, args: Sequence[str], conf: Mapping[str, Any], overlay: Overlay
    ) -> None:
        super().__init__(flux, args, conf)
        self._overlay = overlay
        self._peers = overlay.peers
        self._health = RequestList(flux)
        self._monitors = RequestList(flux)

    async def start(self) -> None:
        """Follow the peers."""
        self._overlay.watch(self._changed)

    def _changed(self, rank: int | None) -> None:
        if len(self._health):
            self._health.respond(self._peers.health())
        child = self._peers.children.get(rank) if rank is not None else None
        if child is not None:
            self._monitors.respond(_monitor_entry(child))

    @method("overlay.health", role=ROLE_USER)
    def health(self, req: Message) -> Reply:
        """-> ``{rank, status, duration, children}``; streaming, again at each change."""
        if not req.streaming:
            return self._peers.health()
        self._health.add(req)
        self.flux.respond(req, self._peers.health())
        return DEFERRED

    @method("overlay.topology", role=ROLE_USER)
    def topology(self, req: Message) -> Reply:
        """``{rank}`` -> the tree under this broker or one of its children."""
        rank = need_int(req.json, "rank")
        if rank != self.rank and rank not in self._peers.children:
            text = "requested rank is not this broker or its direct child"
            raise rpc_error(errno.ENOENT, text)
        return self._peers.topology.subtree(rank)

    @method("overlay.monitor")
    def monitor(self, req: Message) -> Reply:
        """-> ``{rank, status, torpid}`` for each child that is not offline, then each change."""
        if not req.streaming:
            raise rpc_error(errno.EPROTO)
        self._monitors.add(req)
        for child in self._peers.children.values():
            if child.status.online or child.torpid:
                self.flux.respond(req, _monitor_entry(child))
        return DEFERRED

    @method("overlay.disconnect-subtree")
    def disconnect_subtree(self, req: Message) -> Reply:
        """``{rank}``: force a child and all below it out."""
        self._peers.disconnect_child(need_int(req.json, "rank"))
        return None

    @method("overlay.disconnect-parent")
    def disconnect_parent(self, req: Message) -> Reply:
        """``{reason}``: leave the parent, and with it the instance."""
        self.flux.log(LOG_CRIT, f"disconnecting: {need_str(req.json, 'reason')}")
        self._peers.parent_lost()
        return None

    @method("overlay.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._health.disconnect(req)
        self._monitors.disconnect(req)
        return None

    async def stop(self) -> None:
        """End the streams of those who watch."""
        self._overlay.unwatch(self._changed)
        self._health.end()
        self._monitors.end()

    def stats(self) -> dict[str, Any]:
        """What overlay.stats-get answers."""
        peers = self._peers
        return {
            "child-count": len(peers.children),
            "child-connected": peers.online_count,
            "parent-count": 0 if peers.parent is None else 1,
            "parent-rpc": 0 if peers.parent is None else len(peers.parent.tracker),
            "child-rpc": sum(len(child.tracker) for child in peers.children.values()),
            "interthread": {"sendq": 0, "recvq": 0},
        }


def _monitor_entry(child: Child) -> dict[str, Any]:
    return {"rank": child.rank, "status": child.status.label, "torpid": child.torpid}
