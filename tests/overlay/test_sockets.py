"""The overlay's ZeroMQ sockets: who gets in, what is dropped, how a loss is noticed (B2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from fluxcore.overlay.sockets import KeyPair, OverlaySockets
from fluxcore.wire import tbon
from fluxcore.wire.message import Message, control, event, request
from support.leaks import no_leaks
from support.refused import refused


class Side:
    """One broker's sockets, and what has arrived."""

    def __init__(self, keys: KeyPair | None = None) -> None:
        self.keys = keys or KeyPair.generate()
        self.sockets = OverlaySockets(self.keys)
        self.got: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()
        self.refused: asyncio.Queue[str] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.sockets.on_refused = self.refused.put_nowait

    def from_child(self, uuid: str, msg: Message) -> None:
        if msg.topic == "fault":
            raise KeyError("a fault of ours")
        self.got.put_nowait((uuid, msg))

    def from_parent(self, msg: Message) -> None:
        self.got.put_nowait(("", msg))

    def parent_lost(self) -> None:
        self.lost.set()

    def start(self) -> None:
        self.sockets.start(asyncio.get_running_loop(), self)

    async def topic(self) -> str | None:
        return (await asyncio.wait_for(self.got.get(), 10))[1].topic


@asynccontextmanager
async def pair(folder: Path, *, allowed: bool = True) -> AsyncIterator[tuple[Side, Side, str]]:
    """A parent and a child that are connected, and the endpoint."""
    with no_leaks():
        parent, child = Side(), Side()
        endpoint = parent.sockets.bind(f"ipc://{folder}/tbon-0")
        if allowed:
            parent.sockets.allow(child.keys.public)
        child.sockets.connect(endpoint, parent.keys.public, "child")
        parent.start()
        child.start()
        try:
            yield parent, child, endpoint
        finally:
            child.sockets.close()
            parent.sockets.close()
        assert list(folder.iterdir()) == [], "the socket's file is gone"


async def test_messages_both_ways(short_path: Path) -> None:
    async with pair(short_path) as (parent, child, _endpoint):
        child.sockets.send_parent(request("up", {"n": 1}))
        uuid, msg = await parent.got.get()
        assert (uuid, msg.topic, msg.json) == ("child", "up", {"n": 1})
        parent.sockets.send_child("child", event("down", b"x" * 1_000_000))
        _none, msg = await child.got.get()
        assert (msg.topic, len(msg.data or b"")) == ("down", 1_000_000)


async def test_many_messages_keep_their_order(short_path: Path) -> None:
    """More than are taken in one loop turn: none waits for a wake-up that has been."""
    async with pair(short_path) as (parent, child, _endpoint):
        for n in range(3000):
            child.sockets.send_parent(control(0, n))
        got = [(await parent.got.get())[1].aux2 for _ in range(3000)]
        assert got == list(range(3000))


async def test_a_child_that_is_not_known_gets_nowhere(short_path: Path) -> None:
    async with pair(short_path, allowed=False) as (parent, child, _endpoint):
        child.sockets.send_parent(request("hello"))
        assert (await parent.refused.get()).startswith("rejected a connection from")
        await child.lost.wait()
        assert parent.got.empty()


async def test_a_child_with_another_key_gets_nowhere(short_path: Path) -> None:
    """It knows a key that is allowed, but not its secret half."""
    async with pair(short_path) as (parent, child, endpoint):
        thief = Side(KeyPair(child.keys.public, KeyPair.generate().secret))
        thief.sockets.connect(endpoint, parent.keys.public, "thief")
        thief.start()
        thief.sockets.send_parent(request("stolen"))
        await thief.lost.wait()
        child.sockets.send_parent(request("honest"))
        assert await parent.topic() == "honest"
        thief.sockets.close()


async def test_a_child_that_takes_another_for_its_parent_does_not_talk_to_it(
    short_path: Path,
) -> None:
    async with pair(short_path) as (parent, child, endpoint):
        deceived = Side()
        deceived.sockets.connect(endpoint, KeyPair.generate().public, "deceived")
        deceived.start()
        deceived.sockets.send_parent(request("secret"))
        child.sockets.send_parent(request("honest"))
        assert await parent.topic() == "honest"
        deceived.sockets.close()


def plain_socket(endpoint: str, **options: Any) -> "zmq.Socket[bytes]":
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger = 0
    sock.identity = b"plain"
    for name, value in options.items():
        setattr(sock, name, value)
    sock.connect(endpoint)
    return sock


async def test_a_peer_without_curve_gets_nowhere(short_path: Path) -> None:
    async with pair(short_path) as (parent, child, endpoint):
        sock = plain_socket(endpoint)
        sock.send(tbon.encode(request("plain")))
        child.sockets.send_parent(request("honest"))
        assert await parent.topic() == "honest"
        sock.context.destroy()


@pytest.mark.parametrize("frame", [b"", b"\x99", b"garbage", b"\xc1" * 100, b"\x80"])
async def test_a_frame_that_is_no_message_is_dropped(short_path: Path, frame: bytes) -> None:
    async with pair(short_path) as (parent, child, _endpoint):
        dealer = child.sockets._dealer
        assert dealer is not None
        dealer.send(frame)
        child.sockets.send_parent(request("honest"))
        assert await parent.topic() == "honest"
        assert (await parent.refused.get()).startswith("dropped a frame from a child: ")
        router = parent.sockets._router
        assert router is not None
        router.send_multipart([b"child", frame])
        parent.sockets.send_child("child", request("also"))
        assert await child.topic() == "also"
        assert (await child.refused.get()).startswith("dropped a frame from the parent: ")


async def test_an_identity_that_is_no_text_is_dropped(short_path: Path) -> None:
    async with pair(short_path) as (parent, child, endpoint):
        options = {
            "identity": b"\xff\xfe",
            "curve_publickey": child.keys.public.encode(),
            "curve_secretkey": child.keys.secret.encode(),
            "curve_serverkey": parent.keys.public.encode(),
        }
        sock = plain_socket(endpoint, **options)
        sock.send(tbon.encode(request("odd")))
        assert (await parent.refused.get()).startswith("dropped a frame from a child: ")
        sock.context.destroy()


async def test_a_fault_in_one_message_does_not_hold_up_the_others(short_path: Path) -> None:
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: faults.append(context["exception"]))
    async with pair(short_path) as (parent, child, _endpoint):
        for topic in ("one", "fault", "two"):
            child.sockets.send_parent(request(topic))
        assert [await parent.topic(), await parent.topic()] == ["one", "two"]
    assert [type(fault) for fault in faults] == [KeyError]


async def test_a_parent_that_goes_is_noticed(short_path: Path) -> None:
    async with pair(short_path) as (parent, child, _endpoint):
        child.sockets.send_parent(request("up"))
        assert await parent.topic() == "up"
        assert not child.lost.is_set()
        parent.sockets.close()
        await asyncio.wait_for(child.lost.wait(), 10)


async def test_a_child_that_goes_cannot_be_sent_to(short_path: Path) -> None:
    async with pair(short_path) as (parent, child, _endpoint):
        with pytest.raises(OSError, match="unreachable"):
            parent.sockets.send_child("nobody", control(0))
        child.sockets.send_parent(request("up"))
        assert await parent.topic() == "up"
        child.sockets.close()
        assert await refused(send_until_refused(parent)) == (113, "Host unreachable")


async def send_until_refused(parent: Side) -> None:
    """Until ZeroMQ's own thread has seen the connection end, messages just vanish."""
    while True:
        parent.sockets.send_child("child", control(0))
        await asyncio.sleep(0)


async def test_an_address_that_cannot_be_bound() -> None:
    side = Side()
    with pytest.raises(OSError, match="bind ipc:///nonexistent/x: ") as caught:
        side.sockets.bind("ipc:///nonexistent/x")
    assert caught.value.errno == 2
    side.sockets.close()
    side.sockets.close()


async def test_sockets_that_were_never_started_can_be_closed(short_path: Path) -> None:
    with no_leaks():
        parent, child = Side(), Side()
        endpoint = parent.sockets.bind(f"ipc://{short_path}/tbon-0")
        child.sockets.connect(endpoint, parent.keys.public, "child")
        child.sockets.close()
        parent.sockets.close()
        with pytest.raises(OSError):
            parent.sockets.send_child("child", control(0))
        child.sockets.send_parent(control(0))


async def test_over_tcp(short_path: Path) -> None:
    parent, child = Side(), Side()
    endpoint = parent.sockets.bind("tcp://127.0.0.1:*")
    assert endpoint.startswith("tcp://127.0.0.1:")
    parent.sockets.allow(child.keys.public)
    child.sockets.connect(endpoint, parent.keys.public, "child")
    parent.start()
    child.start()
    child.sockets.send_parent(request("up"))
    assert await parent.topic() == "up"
    child.sockets.close()
    parent.sockets.close()
