"""The placement for modules that burn CPU or are not trusted: a process of their own (RFC 5).

The program at the other end of the socket pair is a module loader: ours by default, or any that
speaks RFC 5 (CONTRACTS A27). It finds the socket in FLUX_MODULE_URI, reads one zero byte (the
connector's greeting), then the ``welcome`` request.
"""

import asyncio
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import asdict

from fluxcore.broker.modhost.link import Gate, ModuleExit, ModuleLink, Welcome
from fluxcore.broker.router import Router
from fluxcore.handle.stream import MessageStream
from fluxcore.job.waitstatus import exit_code
from fluxcore.shell.child import Child
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request, unsendable


class ProcessLink(ModuleLink):
    """A module behind a socket."""

    def __init__(
        self,
        router: Router,
        gate: Gate,
        name: str,
        path: str,
        loop: asyncio.AbstractEventLoop,
        loader: Sequence[str],
    ) -> None:
        super().__init__(router, gate, name, path, loop)
        self._loader = loader
        self._stream = MessageStream(loop, self.sent, lambda _exc: None)
        self._child: Child | None = None

    def start(self, welcome: Welcome) -> None:
        """Start the loader and send the welcome."""
        ours, theirs = socket.socketpair()
        with theirs:
            env = {**os.environ, "FLUX_MODULE_URI": f"fd://{theirs.fileno()}"}
            try:
                self._child = Child(
                    self._loop,
                    [*self._loader, self.path],
                    env=env,
                    on_exit=self._exited,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._stream.write(b"\0")
        self._stream.send(request("welcome", asdict(welcome)))
        self._connecting = self._loop.create_task(
            self._loop.create_connection(lambda: self._stream, sock=ours)
        )

    def _push(self, msg: Message) -> None:
        try:
            self._stream.send(msg)
        except TypeError as exc:  # the payload has no JSON form: a fault of who made it
            if msg.type == c.RESPONSE:
                self._stream.send(unsendable(msg, exc))
            elif msg.type == c.REQUEST:
                self._router.reject(msg, errno.EPROTO, str(exc))

    def _exited(self, status: int) -> None:
        """The loader has ended: so has the module, even if it did not say so."""
        self._stream.close()
        code = exit_code(status)
        text = f"loader ({self._loader[-1]}) exited with exit code {code}"
        self._is_over(ModuleExit(errno.EINVAL, text) if code else ModuleExit())

    def kill(self) -> None:
        """Kill the process."""
        if self._child is not None:
            self._child.kill(signal.SIGKILL)

    @property
    def receive_queue(self) -> int:
        """Always 0: what is sent is with the kernel."""
        return 0

    @property
    def send_queue(self) -> int:
        """Always 0: what is received is handled at once."""
        return 0
