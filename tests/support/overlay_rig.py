"""One broker's neighbours without sockets: what they are sent, and what is made of it."""

import errno
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import Identity
from fluxcore.overlay.peers import Peers
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    Message,
    request,
    response,
)

OWNER = 100


class Rig:
    """Rank 1 of seven in a binary tree: its parent is 0, its children are 3 and 4."""

    def __init__(self, rank: int = 1) -> None:
        self.now = 0.0
        self.up: list[Message] = []
        self.down: list[tuple[str, Message]] = []
        self.received: list[Message] = []
        self.events: list[Message] = []
        self.posted: list[str] = []
        self.lines: list[tuple[int, str]] = []
        self.changes: list[int | None] = []
        self.unreachable: set[str] = set()
        identity = Identity(rank, "me", OWNER, 0x000102, lambda n: f"host{n}")
        self.peers = Peers(identity, Topology.parse("kary:2", 7), self, lambda: self.now)

    def send_parent(self, msg: Message) -> None:
        self.up.append(msg)

    def send_child(self, uuid: str, msg: Message) -> None:
        if uuid in self.unreachable:
            raise rpc_error(errno.EHOSTUNREACH)
        self.down.append((uuid, msg))

    def receive(self, msg: Message) -> None:
        self.received.append(msg)

    def receive_unpublished(self, msg: Message) -> None:
        self.events.append(msg)

    def receive_published(self, msg: Message) -> None:
        self.events.append(msg)

    def post(self, event: str) -> None:
        self.posted.append(event)

    def log(self, level: int, text: str) -> None:
        self.lines.append((level, text))

    def changed(self, rank: int | None) -> None:
        self.changes.append(rank)

    # -- what a test makes happen ----------------------------------------------------------

    def hello(self, uuid: str = "child", **changes: Any) -> Message:
        """A child's hello; what the peer of that uuid is sent for it."""
        payload = {
            "rank": 3,
            "version": 0x000100,
            "uuid": uuid,
            "status": int(Status.FULL),
            "hostname": "host3",
            **changes,
        }
        creds = {"userid": OWNER, "rolemask": c.ROLE_OWNER}
        self.down.clear()
        self.peers.from_child(uuid, request("overlay.hello", payload, matchtag=1, **creds))
        return self.down[0][1]

    def join_parent(self) -> None:
        self.peers.say_hello("host1")
        self.peers.from_parent(response(self.up.pop(), {"uuid": "parent"}))
        assert self.posted.pop() == "parent-hello"

    def statuses(self) -> dict[int, str]:
        return {entry["rank"]: entry["status"] for entry in self.peers.health()["children"]}

    def texts(self) -> list[str]:
        return [text for _level, text in self.lines]
