"""The program at the other end of a :class:`~fluxcore.broker.modhost.process_link.ProcessLink`.

``python -m fluxcore.broker.modhost.child_main PATH`` runs the module in PATH over the socket in
FLUX_MODULE_URI (``fd://N``), as RFC 5 has it.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fluxcore.broker.modhost.loader import Loader, Source
from fluxcore.handle.aio import Flux
from fluxcore.handle.module import Module
from fluxcore.handle.runner import ModuleRunner
from fluxcore.handle.stream import MessageStream
from fluxcore.wire.message import Message


class Guest:
    """A module in this process: it begins with the broker's welcome, what follows is its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self._loop = loop
        self._path = Path(path)
        self._flux: Flux | None = None
        self._life: asyncio.Task[None] | None = None
        #: Done when the module or the connection has ended.
        self.over: asyncio.Future[None] = loop.create_future()
        self.stream = MessageStream(loop, self._arrived, lambda _exc: self._end())

    def _arrived(self, msg: Message) -> None:
        if self._flux is not None:
            self._flux.receive(msg)
        elif msg.topic == "welcome":
            self._begin(msg.json)

    def _begin(self, welcome: dict[str, Any]) -> None:
        flux = self._flux = Flux(
            self.stream.send,
            loop=self._loop,
            name=welcome["name"],
            uuid=welcome["uuid"],
            attrs=welcome["attrs"],
        )
        flux.on_close(self.stream.close)
        runner = ModuleRunner(flux, self._load, welcome["args"], welcome["conf"])
        self._life = self._loop.create_task(runner.run())
        self._life.add_done_callback(lambda _life: self._end())

    def _load(self, flux: Flux, args: Sequence[str], conf: Mapping[str, Any]) -> Module:
        """Import the file as part of the module's life: a fault in it is the load's failure."""
        return Loader().load_class(Source(self._path.stem, self._path))(flux, args, conf)

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    async def close(self) -> None:
        """End what still runs."""
        if self._life is not None:
            self._life.cancel()
        if self._flux is not None:
            await self._flux.close()


async def serve(fd: int, path: str) -> None:
    """Run the module in ``path`` until the broker or the module ends."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(fileno=fd)
    greeting = sock.recv(1)
    if greeting != b"\0":
        raise OSError(greeting[0] if greeting else 0, "the broker refused the module")
    sock.setblocking(False)
    guest = Guest(loop, path)
    await loop.create_connection(lambda: guest.stream, sock=sock)
    await guest.over
    await guest.close()


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
