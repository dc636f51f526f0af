"""Brokers without run control or sockets, for tests of single modules.

Routers, overlay peers and module hosts are real; what is missing is everything that would load
other modules. Messages between ranks pass through the overlay's codec, one loop turn later, so a
test can hold them back or let them overtake each other.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fluxcore.broker.attr_service import AttrService
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.event_service import EventService, ServiceService
from fluxcore.broker.modhost.host import HostHooks, LoadRequest, ModuleHost
from fluxcore.broker.modhost.service import ModuleService
from fluxcore.broker.modhost.trace import Tracer
from fluxcore.broker.own import OwnLink
from fluxcore.broker.router import Router
from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import parse_line
from fluxcore.handle.service import Method
from fluxcore.overlay.neighbours import Identity
from fluxcore.overlay.peers import Peers
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire import tbon
from fluxcore.wire.message import Message

OWNER = os.getuid()


class Client:
    """A client of a rank's socket: its requests carry its uuid, its responses come back to it."""

    def __init__(self, broker: "WiredBroker", name: str, userid: int, rolemask: int) -> None:
        self.uuid = name
        self._router = broker.router
        self._creds = (userid, rolemask)
        self.flux = Flux(self._send, name=name, uuid=name)
        broker.router.add_link(name, self)

    def deliver(self, msg: Message) -> None:
        self.flux.receive(msg)

    def _send(self, msg: Message) -> None:
        self._router.request(msg.with_creds(*self._creds).pushed(self.uuid))

    async def gone(self, *services: str) -> None:
        """Disconnect, telling ``services``."""
        for service in services:
            self.flux.notify(f"{service}.disconnect")
        self._router.remove_link(self.uuid)
        await self.flux.close()


class WiredBroker:
    """One rank."""

    def __init__(self, instance: "Wired", rank: int, attrs: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.rank = rank
        self.lines: list[str] = []
        self._instance = instance
        self.attrs = Attributes()
        for name, value in {
            "rank": str(rank),
            "size": str(instance.size),
            "broker.uuid": f"broker-{rank}",
            "content.hash": "sha1",
            **attrs,
        }.items():
            self.attrs.set(name, value)
        self.router = Router(rank, f"broker-{rank}", OWNER)
        self.own = OwnLink(self.router, loop, self.attrs.immutables())
        self.router.own = self.own
        identity = Identity(rank, self.router.uuid, OWNER, 0x100, lambda n: f"host{n}")
        self.peers = Peers(identity, instance.topology, self, time.monotonic)
        self.router.overlay = self.peers
        #: The configuration that modules are loaded with.
        self.conf: dict[str, Any] = {}
        hooks = HostHooks(log=self.log, panic=self.panic, conf=lambda: self.conf)
        self.host = ModuleHost(self.router, self.attrs, loop, hooks, {})
        self.host.gate.online = True
        self._serve()

    def _serve(self) -> None:
        flux = self.own.flux
        for service in (
            AttrService(flux, self.attrs),
            EventService(self.router, self.host),
            ServiceService(self.router, self.host),
            ModuleService(self.host, Tracer(flux, self.host.links)),
        ):
            service.bind(flux.core)
        flux.core.add_method("log.append", Method(self._logged, c.ROLE_ALL))
        for name in ("attr", "event", "service", "module", "log"):
            self.router.add_service(name, self.own)

    def _logged(self, req: Message) -> None:
        self.lines.append(parse_line(req.data or b"").text)

    def log(self, _level: int, text: str) -> None:
        self.lines.append(text)

    def panic(self, what: str) -> None:
        raise AssertionError(what)

    # -- the overlay's shell ---------------------------------------------------------------

    def send_parent(self, msg: Message) -> None:
        parent = self.peers.parent
        assert parent is not None
        above = self._instance.brokers[parent.rank].peers
        self._later(lambda got: above.from_child(self.router.uuid, got), msg)

    def send_child(self, uuid: str, msg: Message) -> None:
        below = self._instance.brokers[int(uuid.removeprefix("broker-"))].peers
        self._later(below.from_parent, msg)

    def _later(self, receive: Callable[[Message], None], msg: Message) -> None:
        frame = tbon.encode(msg)
        asyncio.get_running_loop().call_soon(lambda: receive(tbon.decode(frame)))

    def receive(self, msg: Message) -> None:
        (self.router.request if msg.type == c.REQUEST else self.router.response)(msg)

    def receive_unpublished(self, msg: Message) -> None:
        self.router.event(msg)

    def receive_published(self, msg: Message) -> None:
        self.router.deliver_event(msg)

    def post(self, _event: str) -> None:
        """No state machine is here."""

    def changed(self, _rank: int | None) -> None:
        """Nobody watches the overlay."""


class Wired:
    """Brokers and what is loaded in them."""

    def __init__(self, size: int, rundir: Path, attrs: dict[str, str]) -> None:
        self.size = size
        self.topology = Topology.parse("kary:2", size)
        self.brokers: list[WiredBroker] = []
        self._loaded: list[tuple[int, str]] = []
        self._clients = 0
        for rank in range(size):
            mine = {"rundir": str(rundir), **(attrs if rank == 0 else {})}
            self.brokers.append(WiredBroker(self, rank, mine))

    async def start(self) -> "Wired":
        """Connect the ranks."""
        for broker in self.brokers[1:]:
            broker.peers.say_hello(f"host{broker.rank}")
        while not all(b.peers.parent is None or b.peers.parent.uuid for b in self.brokers):
            await asyncio.sleep(0)
        return self

    def flux(self, rank: int = 0) -> Flux:
        """The own handle of a broker."""
        return self.brokers[rank].own.flux

    def client(
        self, rank: int = 0, userid: int = OWNER, rolemask: int = c.ROLE_OWNER | c.ROLE_LOCAL
    ) -> Client:
        """A new client of a broker."""
        self._clients += 1
        return Client(self.brokers[rank], f"client-{self._clients}", userid, rolemask)

    async def load(self, name: str, *args: str, rank: int | None = None) -> None:
        """Load a module on every rank or on one."""
        for each in range(self.size) if rank is None else [rank]:
            await self.brokers[each].host.load(LoadRequest(name, args))
            self._loaded.append((each, name))

    async def remove(self, name: str, rank: int = 0) -> None:
        """Remove a module."""
        self.ended(name, rank)
        await self.brokers[rank].host.remove(name)

    def ended(self, name: str, rank: int = 0) -> None:
        """A module has ended by itself."""
        self._loaded.remove((rank, name))

    def module(self, name: str, rank: int = 0) -> Any:
        """The module's object on a rank, where it runs on the broker's loop."""
        link: Any = self.brokers[rank].host.by_name(name)
        core = link._mailbox.receive.__self__
        return core._methods[f"{name}.ping"].call.__self__

    def pulse(self) -> None:
        """The heartbeat."""
        self.flux().publish("heartbeat.pulse")

    async def stop(self) -> None:
        """Remove all modules, the last loaded first, and close."""
        for rank, name in reversed(list(self._loaded)):
            await self.remove(name, rank)
        for broker in self.brokers:
            await broker.own.flux.close()

    def logged(self, rank: int = 0) -> list[str]:
        """The log of a rank."""
        return self.brokers[rank].lines
