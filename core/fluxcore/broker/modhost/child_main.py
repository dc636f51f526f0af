"""The program at the other end of a :class:`~fluxcore.broker.modhost.process_link.ProcessLink`.

``python -m fluxcore.broker.modhost.child_main PATH`` runs the module in PATH over the socket in
FLUX_MODULE_URI (``fd://N``), as RFC 5 has it.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from fluxcore.broker.modhost.loader import Loader, Source
from fluxcore.handle.aio import Flux
from fluxcore.handle.runner import ModuleRunner
from fluxcore.handle.stream import MessageStream
from fluxcore.wire.message import Message


async def serve(fd: int, path: str) -> None:
    """Run the module in ``path`` until the broker or the module ends."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(fileno=fd)
    greeting = sock.recv(1)
    if greeting != b"\0":
        raise OSError(greeting[0] if greeting else 0, "the broker refused the module")
    sock.setblocking(False)
    lost: asyncio.Future[Exception | None] = loop.create_future()
    welcome: asyncio.Future[Message] = loop.create_future()
    flux: Flux | None = None

    def arrived(msg: Message) -> None:
        if flux is not None:
            flux.receive(msg)
        elif msg.topic == "welcome" and not welcome.done():
            welcome.set_result(msg)

    def gone(exc: Exception | None) -> None:
        if not lost.done():
            lost.set_result(exc)

    stream = MessageStream(loop, arrived, gone)
    await loop.create_connection(lambda: stream, sock=sock)
    hello = (await welcome).json
    flux = Flux(
        stream.send, loop=loop, name=hello["name"], uuid=hello["uuid"], attrs=hello["attrs"]
    )
    flux.on_close(stream.close)
    factory = _factory_of(path)
    life = loop.create_task(ModuleRunner(flux, factory, hello["args"], hello["conf"]).run())
    either: list[asyncio.Future[Any]] = [life, lost]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    life.cancel()
    await flux.close()


def _factory_of(path: str) -> type:
    file = Path(path)
    return Loader().load_class(Source(file.stem, file))


def main() -> int:
    """Serve the module named on the command line."""
    if len(sys.argv) != 2:
        print("usage: python -m fluxcore.broker.modhost.child_main PATH", file=sys.stderr)
        return 2
    uri = os.environ.get("FLUX_MODULE_URI", "")
    if not uri.startswith("fd://"):
        print("FLUX_MODULE_URI is not set to fd://N", file=sys.stderr)
        return 1
    asyncio.run(serve(int(uri.removeprefix("fd://")), sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
