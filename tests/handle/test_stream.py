"""MessageStream: gathered writes, broken streams, peers that do not read."""

import asyncio
import errno
from typing import Any

import pytest

from fluxcore.handle.stream import MessageStream
from fluxcore.wire import rfc3
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message, request, response


class Transport(asyncio.WriteTransport):
    """Records what a stream does with it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.state = "open"
        self.unread = 0

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))
        self.unread += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self) -> None:
        if self.state == "open":
            self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


class Rig:
    def __init__(self, **options: int) -> None:
        self.got: list[Message] = []
        self.ended: list[Exception | None] = []
        self.transport = Transport()
        self.stream = MessageStream(
            asyncio.get_running_loop(), self.take, self.ended.append, **options
        )
        self.stream.connection_made(self.transport)

    def take(self, msg: Message) -> None:
        self.got.append(msg)

    def written(self) -> list[list[str | None]]:
        """The topics of the messages in each write."""
        return [[m.topic for m in rfc3.Reader().feed(data)] for data in self.transport.writes]


async def test_what_is_sent_in_one_turn_is_one_write() -> None:
    rig = Rig()
    for topic in "abc":
        rig.stream.send(request(topic))
    assert rig.written() == []
    await asyncio.sleep(0)
    assert rig.written() == [["a", "b", "c"]]


async def test_answers_to_what_came_together_leave_together_and_at_once() -> None:
    rig = Rig()

    def answer(msg: Message) -> None:
        rig.stream.send(response(msg))

    rig.stream._on_message = answer
    rig.stream.data_received(b"".join(rfc3.encode(request(topic)) for topic in "abc"))
    assert rig.written() == [["a", "b", "c"]]
    rig.stream.send(request("d"))
    await asyncio.sleep(0)
    assert rig.written() == [["a", "b", "c"], ["d"]]


async def test_what_is_sent_before_the_connection_is_made_is_kept() -> None:
    got: list[Message] = []
    stream = MessageStream(asyncio.get_running_loop(), got.append, lambda _exc: None)
    stream.write(b"\0")
    stream.send(request("a"))
    await asyncio.sleep(0)
    transport = Transport()
    stream.connection_made(transport)
    assert transport.writes == [b"\0" + rfc3.encode(request("a"))]


async def test_a_broken_stream_is_closed_after_what_came_before() -> None:
    rig = Rig()
    rig.stream._on_message = lambda msg: rig.stream.send(response(msg))
    rig.stream.data_received(rfc3.encode(request("a")) + b"garbage, and much more of it")
    assert rig.written() == [["a"]]
    assert rig.transport.state == "closed"
    (exc,) = rig.ended
    assert isinstance(exc, WireError)
    rig.stream.send(request("b"))
    await asyncio.sleep(0)
    assert rig.written() == [["a"]], "after the end it goes nowhere"


@pytest.mark.parametrize("length", [1001, 0xFFFFFFFF])
async def test_an_oversized_message_closes_it(length: int) -> None:
    rig = Rig(max_size=1000)
    rig.stream.data_received(rfc3.MAGIC + length.to_bytes(4, "big"))
    assert rig.transport.state == "closed"
    assert rig.transport.writes == []


async def test_no_message_is_handled_after_a_handler_has_closed_it() -> None:
    rig = Rig()
    topics: list[str | None] = []

    def take(msg: Message) -> None:
        topics.append(msg.topic)
        rig.stream.close()

    rig.stream._on_message = take
    rig.stream.data_received(rfc3.encode(request("a")) + rfc3.encode(request("b")))
    assert topics == ["a"]
    assert rig.ended == [None]


async def test_closing_sends_what_is_gathered() -> None:
    rig = Rig()
    rig.stream.send(request("a"))
    rig.stream.close()
    rig.stream.close()
    assert rig.written() == [["a"]]
    assert (rig.transport.state, rig.ended) == ("closed", [None])


async def test_a_lost_connection_is_told_once() -> None:
    rig = Rig()
    rig.stream.send(request("a"))
    rig.stream.connection_lost(BrokenPipeError(errno.EPIPE, "gone"))
    await asyncio.sleep(0)
    assert [type(exc) for exc in rig.ended] == [BrokenPipeError]
    assert rig.written() == []
    rig.stream.close()
    rig.stream.abort()
    assert len(rig.ended) == 1


async def test_a_peer_that_does_not_read_is_dropped() -> None:
    rig = Rig(max_unsent=1000)
    for n in range(30):
        rig.stream.send(request(f"a{n}", b"x" * 100))
        await asyncio.sleep(0)
    assert rig.transport.state == "aborted"
    assert rig.transport.unread < 1500
    (exc,) = rig.ended
    assert isinstance(exc, OSError)
    assert exc.errno == errno.ENOBUFS


async def test_over_a_real_socket_pair(short_path: Any) -> None:
    import socket

    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    got: asyncio.Queue[Message] = asyncio.Queue()
    ends = [loop.create_future(), loop.create_future()]
    streams = [
        MessageStream(loop, got.put_nowait, lambda exc, end=end: end.set_result(exc))
        for end in ends
    ]
    for sock, stream in zip((ours, theirs), streams, strict=True):
        sock.setblocking(False)
        await loop.create_connection(lambda stream=stream: stream, sock=sock)
    streams[0].send(request("big", b"x" * 3_000_000))
    msg = await got.get()
    assert (msg.topic, len(msg.data or b"")) == ("big", 3_000_000)
    streams[0].close()
    assert [await end for end in ends] == [None, None]
