"""A tree of brokers without sockets and without a clock of its own: real peers and routers.

What is sent waits on its wire until :meth:`Network.deliver` takes it, so a test chooses the order
in which things arrive, and what is lost on the way. Wires keep their order and behave like
ZeroMQ's: frames that are under way when a broker crashes may still arrive, frames to it vanish,
and the other end learns of the crash later (:meth:`Network.notice`).
"""

import errno
from collections import deque
from collections.abc import Iterator

from fluxcore.broker.router import Router
from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.neighbours import Identity
from fluxcore.overlay.peers import Peers
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire import tbon
from fluxcore.wire.message import Message, error_response, event, request, response

OWNER = 100


class Wire:
    """The connection of a child to its parent."""

    def __init__(self, child: "SimBroker", parent: "SimBroker") -> None:
        self.child = child
        self.parent = parent
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.broken = False
        self.noticed = False


class Rpc:
    """A request of a test, and how it ended."""

    def __init__(self, source: "SimBroker", target: int) -> None:
        self.source = source
        self.target = target
        self.responses = 0
        self.ends: list[int] = []


class Client:
    """A router link that makes requests."""

    def __init__(self, broker: "SimBroker") -> None:
        self.uuid = f"client-{broker.uuid}"
        self.rpcs: dict[int, Rpc] = {}
        self.events: list[int] = []
        broker.router.add_link(self.uuid, self)
        broker.router.subscribers.add("", self)

    def deliver(self, msg: Message) -> None:
        if msg.type == c.EVENT:
            self.events.append(msg.seq)
            return
        rpc = self.rpcs[msg.matchtag]
        if msg.errnum or not msg.streaming:
            rpc.ends.append(msg.errnum)
        else:
            assert not rpc.ends, "a response after the last one"
            rpc.responses += 1


class Server:
    """The services: echo answers at once, slow when told, stream three times and then the end."""

    def __init__(self, broker: "SimBroker") -> None:
        self._router = broker.router
        self.kept: list[Message] = []
        for name in ("echo", "slow", "stream"):
            broker.router.add_service(name, self)

    def deliver(self, msg: Message) -> None:
        if msg.topic == "slow.x":
            self.kept.append(msg)
        elif msg.topic == "stream.x":
            for _ in range(3):
                self._router.response(response(msg))
            self._router.response(error_response(msg, errno.ENODATA))
        else:
            self._router.response(response(msg))

    def answer(self) -> None:
        """Answer what was kept longest."""
        self._router.response(response(self.kept.pop(0)))


class SimBroker:
    """One life of one broker: a restart makes a new one."""

    def __init__(self, network: "Network", rank: int, life: int) -> None:
        self.network = network
        self.rank = rank
        self.uuid = f"{rank}.{life}"
        self.alive = True
        self.frozen = False
        self.router = Router(rank, self.uuid, OWNER)
        self.client = Client(self)
        self.server = Server(self)
        identity = Identity(rank, self.uuid, OWNER, 0x100, lambda n: f"host{n}")
        self.peers = Peers(identity, network.topology, self, lambda: network.now)
        self.router.overlay = self.peers
        self.wires: dict[str, Wire] = {}
        self.wire: Wire | None = None
        self.events: list[str] = []
        self.log_lines: list[str] = []
        parent = network.topology.parent(rank)
        if parent is not None:
            self.wire = Wire(self, network.brokers[parent])
            network.brokers[parent].wires[self.uuid] = self.wire
            network.wires.append(self.wire)
            self.peers.say_hello(f"host{rank}")

    # -- PeersShell ------------------------------------------------------------------------

    def send_parent(self, msg: Message) -> None:
        assert self.wire is not None
        if not self.wire.broken:
            self.wire.up.append(tbon.encode(msg))

    def send_child(self, uuid: str, msg: Message) -> None:
        wire = self.wires.get(uuid)
        if wire is None or wire.noticed:
            raise rpc_error(errno.EHOSTUNREACH)
        if not wire.broken:
            wire.down.append(tbon.encode(msg))

    def receive(self, msg: Message) -> None:
        (self.router.request if msg.type == c.REQUEST else self.router.response)(msg)

    def receive_unpublished(self, msg: Message) -> None:
        self.router.event(msg)

    def receive_published(self, msg: Message) -> None:
        self.router.deliver_event(msg)

    def post(self, event: str) -> None:
        self.events.append(event)

    def log(self, _level: int, text: str) -> None:
        self.log_lines.append(text)

    def changed(self, _rank: int | None) -> None:
        """Nobody watches."""


class Network:
    """The brokers of an instance, and what is under way between them."""

    def __init__(self, topo: str, size: int) -> None:
        self.topology = Topology.parse(topo, size)
        self.now = 0.0
        self.wires: list[Wire] = []
        self.brokers: dict[int, SimBroker] = {}
        self.rpcs: list[Rpc] = []
        self._lives = 0
        self._tag = 0

    def start(self, rank: int) -> SimBroker:
        """Begin a (new) life of ``rank``."""
        self._lives += 1
        broker = self.brokers[rank] = SimBroker(self, rank, self._lives)
        return broker

    def start_all(self) -> None:
        """Begin with all, and let them meet."""
        for rank in range(self.topology.size):
            self.start(rank)
        self.settle()

    def alive(self, rank: int) -> bool:
        """True if ``rank`` lives now."""
        return rank in self.brokers and self.brokers[rank].alive

    # -- what happens ----------------------------------------------------------------------

    def rpc(self, source: int, target: int, service: str = "echo", flags: int = 0) -> Rpc:
        """A request from a client of ``source``."""
        broker = self.brokers[source]
        self._tag += 1
        rpc = broker.client.rpcs[self._tag] = Rpc(broker, target)
        self.rpcs.append(rpc)
        if service == "stream":
            flags |= c.STREAMING
        msg = request(
            f"{service}.x", nodeid=target, matchtag=self._tag, flags=flags, userid=OWNER, rolemask=5
        )
        broker.router.request(msg.pushed(broker.client.uuid))
        return rpc

    def publish(self, source: int) -> None:
        """An event from a client of ``source``."""
        self.brokers[source].router.event(event("e", userid=OWNER, rolemask=5))

    def under_way(self) -> "list[tuple[Wire, deque[bytes]]]":
        """The wires and directions with something to deliver."""
        return [
            (wire, queue)
            for wire in self.wires
            for queue, taker in ((wire.up, wire.parent), (wire.down, wire.child))
            if queue and taker.alive and not taker.frozen
        ]

    def deliver(self, choice: int = 0) -> bool:
        """Let one frame arrive: the first of one of the wires; False if there is none."""
        ready = self.under_way()
        if not ready:
            return False
        wire, queue = ready[choice % len(ready)]
        msg = tbon.decode(queue.popleft())
        if queue is wire.up:
            wire.parent.peers.from_child(wire.child.uuid, msg)
        else:
            wire.child.peers.from_parent(msg)
        return True

    def settle(self) -> None:
        """Let everything arrive."""
        while self.deliver():
            pass

    def settle_in_order(self) -> None:
        """As settle, but wire by wire: for networks too large to look at all of it each time."""
        moved = True
        while moved:
            moved = False
            for wire in self.wires:
                while wire.up or wire.down:
                    moved = True
                    if wire.up:
                        msg = tbon.decode(wire.up.popleft())
                        wire.parent.peers.from_child(wire.child.uuid, msg)
                    if wire.down:
                        wire.child.peers.from_parent(tbon.decode(wire.down.popleft()))

    def crash(self, rank: int) -> None:
        """A broker is killed. What it has sent may still arrive; what is sent to it is gone."""
        broker = self.brokers[rank]
        broker.alive = False
        for wire in self.wires_of(broker):
            wire.broken = True
            (wire.up if wire.parent is broker else wire.down).clear()

    def wires_of(self, broker: SimBroker) -> Iterator[Wire]:
        """The wires that ``broker`` is at the end of."""
        return (wire for wire in self.wires if broker in (wire.child, wire.parent))

    def unnoticed(self) -> list[Wire]:
        """Broken wires of which the living end does not know yet."""
        return [
            wire
            for wire in self.wires
            if wire.broken and not wire.noticed and (wire.parent.alive or wire.child.alive)
        ]

    def notice(self, wire: Wire) -> None:
        """The living end of a broken wire learns of it, as ZeroMQ lets it."""
        wire.noticed = True
        if wire.child.alive:
            wire.child.peers.parent_lost()

    def tick(self, seconds: float = 6.0) -> None:
        """Time passes, and everybody looks at the clock."""
        self.now += seconds
        for broker in self.brokers.values():
            if broker.alive and not broker.frozen:
                broker.peers.tick()
