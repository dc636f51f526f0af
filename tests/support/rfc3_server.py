"""A small broker's end of a local:// socket: it greets, and answers by what a test registers."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from fluxcore.handle.core import HandleCore
from fluxcore.handle.service import Method
from fluxcore.handle.stream import MessageStream
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message

#: Adds a test's methods to a connection's core.
Serve = Callable[[HandleCore], None]


class Connection(MessageStream):
    """One client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, serve: Serve, greeting: bytes) -> None:
        self.received: list[Message] = []
        self.core = HandleCore(self.send)
        serve(self.core)
        self._greeting = greeting
        self.ended = loop.create_future()
        super().__init__(loop, self._take, self._end_of)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.write(self._greeting)
        if self._greeting != b"\0":
            self.close()

    def _take(self, msg: Message) -> None:
        self.received.append(msg)
        # What a broker does on the way: the client's requests are the owner's.
        msg.rolemask = msg.rolemask or c.ROLE_OWNER
        self.core.receive(msg)

    def _end_of(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


class Server:
    """The socket, and its connections in the order they came."""

    def __init__(self, path: Path) -> None:
        self.uri = f"local://{path}"
        self.path = path
        self.connections: list[Connection] = []


@asynccontextmanager
async def serving(
    folder: Path, serve: Serve = lambda _core: None, greeting: bytes = b"\0"
) -> AsyncIterator[Server]:
    """A server on the test's loop."""
    loop = asyncio.get_running_loop()
    server = Server(folder / "local-0")

    def accept() -> Connection:
        server.connections.append(Connection(loop, serve, greeting))
        return server.connections[-1]

    listener = await loop.create_unix_server(accept, str(server.path))
    try:
        yield server
    finally:
        listener.close()
        for connection in server.connections:
            connection.abort()
        await asyncio.gather(*(connection.ended for connection in server.connections))
        await listener.wait_closed()


@contextmanager
def serving_in_thread(
    folder: Path, serve: Serve = lambda _core: None, greeting: bytes = b"\0"
) -> Iterator[Server]:
    """A server on a thread's loop, for handles that block."""
    ready: threading.Event = threading.Event()
    made: list[Any] = []

    async def main() -> None:
        stop = asyncio.Event()
        async with serving(folder, serve, greeting) as server:
            made.extend((server, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait(10)
    server, loop, stop = made
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def echo(core: HandleCore) -> None:
    """Methods that many tests need: echo.say answers its payload, echo.count streams to n."""
    from fluxcore.handle.service import DEFERRED

    def count(req: Message) -> Any:
        for n in range(req.json["n"]):
            core.respond(req, {"i": n})
        if req.json.get("errnum"):
            core.respond_error(req, req.json["errnum"], req.json.get("text"))
        return DEFERRED

    core.add_method("echo.say", Method(lambda req: req.json))
    core.add_method("echo.count", Method(count))
    core.add_method("echo.never", Method(lambda _req: DEFERRED))
    core.add_method("event.subscribe", Method(lambda _req: None))
    core.add_method("event.unsubscribe", Method(lambda _req: None))


def raw_socket(path: Path) -> socket.socket:
    """A connected socket that has read the greeting."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(str(path))
    assert sock.recv(1) == b"\0"
    return sock
