"""The overlay of one broker: peers and sockets, between the router and the state machine."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from fluxcore.handle.logline import LOG_ERR
from fluxcore.overlay.neighbours import Identity
from fluxcore.overlay.peers import Peers
from fluxcore.overlay.sockets import OverlaySockets
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, unsendable


class BrokerSide(Protocol):
    """What the overlay needs of its broker."""

    def request(self, msg: Message) -> None:
        """Route a request."""

    def response(self, msg: Message) -> None:
        """Route a response."""

    def event(self, msg: Message) -> None:
        """Publish an event or send it up."""

    def deliver_event(self, msg: Message) -> None:
        """Give a published event to subscribers here and below."""


class Overlay:
    """Carries out what :class:`~fluxcore.overlay.peers.Peers` decides.

    An instance of one broker has no sockets.
    """

    def __init__(
        self,
        identity: Identity,
        topology: Topology,
        sockets: OverlaySockets | None,
        *,
        broker: BrokerSide,
        post: Callable[[str], None],
        log: Callable[[int, str], None],
        torpid_min: float = 5.0,
        torpid_max: float = 30.0,
    ) -> None:
        self._sockets = sockets
        self._broker = broker
        self._post = post
        self._log = log
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watchers: list[Callable[[int | None], None]] = []
        self.peers = Peers(
            identity,
            topology,
            self,
            time.monotonic,
            torpid_min=torpid_min,
            torpid_max=torpid_max,
        )

    def start(self, loop: asyncio.AbstractEventLoop, hostname: str) -> None:
        """Begin: listen to the sockets and say hello to the parent."""
        self._loop = loop
        if self._sockets is None:
            return
        self._sockets.on_refused = lambda text: self._log(LOG_ERR, text)
        self._sockets.start(loop, self.peers)
        if self.peers.parent is not None:
            self.peers.say_hello(hostname)
        self._tick()

    def _tick(self) -> None:
        assert self._loop is not None
        self.peers.tick()
        self._timer = self._loop.call_later(self.peers.torpid_min / 2, self._tick)

    def close(self) -> None:
        """End; the broker is alone from here on."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sockets is not None:
            self._sockets.close()

    def watch(self, function: Callable[[int | None], None]) -> None:
        """Call ``function`` with the rank of a child that has changed (None: our own status)."""
        self._watchers.append(function)

    def unwatch(self, function: Callable[[int | None], None]) -> None:
        """Call ``function`` no more."""
        self._watchers.remove(function)

    # -- Uplink: what the router sends -----------------------------------------------------

    def forward_request(self, msg: Message) -> None:
        """Send a request towards its rank."""
        self.peers.forward_request(msg)

    def forward_response(self, msg: Message) -> None:
        """Send a response to the neighbour on top of its route stack."""
        try:
            self.peers.forward_response(msg)
        except TypeError as exc:
            self.peers.forward_response(unsendable(msg, exc))

    def forward_event(self, msg: Message) -> None:
        """Send an unpublished event up."""
        self.peers.forward_event(msg)

    def broadcast(self, msg: Message) -> None:
        """Send a published event down."""
        self.peers.broadcast(msg)

    # -- PeersShell: what the peers decide -------------------------------------------------

    def send_parent(self, msg: Message) -> None:
        """Send to the parent."""
        if self._sockets is not None:
            self._sockets.send_parent(msg)

    def send_child(self, uuid: str, msg: Message) -> None:
        """Send to a child."""
        assert self._sockets is not None, "an instance of one has no children"
        self._sockets.send_child(uuid, msg)

    def receive(self, msg: Message) -> None:
        """Give a request or response to the router."""
        if msg.type == c.REQUEST:
            self._broker.request(msg)
        else:
            self._broker.response(msg)

    def receive_unpublished(self, msg: Message) -> None:
        """Give an event from below to the router."""
        self._broker.event(msg)

    def receive_published(self, msg: Message) -> None:
        """Give an event from above to the router."""
        self._broker.deliver_event(msg)

    def post(self, event: str) -> None:
        """Post to the state machine."""
        self._post(event)

    def log(self, level: int, text: str) -> None:
        """Write to the log."""
        self._log(level, text)

    def changed(self, rank: int | None) -> None:
        """Tell the watchers."""
        for function in self._watchers:
            try:
                function(rank)
            except Exception as exc:  # noqa: BLE001 - one watcher's fault must not cost the others
                self._log(LOG_ERR, f"overlay watcher: {type(exc).__name__}: {exc}")
