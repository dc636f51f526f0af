"""The handle for commands: blocking, and without asyncio, whose import they must not pay for."""

import errno
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from fluxcore.handle.core import HandleCore
from fluxcore.handle.creds import Creds
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.responses import Responses
from fluxcore.handle.service import EventFunction
from fluxcore.handle.socket import open_socket
from fluxcore.handle.uri import local_path
from fluxcore.handle.vigil import new_vigil
from fluxcore.wire import constants as c
from fluxcore.wire import rfc3
from fluxcore.wire.message import Message, Payload, event, request

_CHUNK = 1 << 18


class Flux:
    """A handle for one thread: a call returns when its answer is there.

    While it waits, whatever else arrives is handled too: responses to other requests are kept
    for whoever takes them, events and requests go to their functions.
    """

    def __init__(self, uri: str | None = None) -> None:
        """Connect to the broker at ``uri``, by default at FLUX_URI.

        :raises OSError: there is no broker there, or it does not let us in
        """
        self._creds = Creds.from_environ()
        self._sock = open_socket(local_path(uri))
        self._poll = select.poll()  # select itself knows no descriptor above 1023
        self._poll.register(self._sock, select.POLLIN)
        self._reader = rfc3.Reader()
        self._vigil = new_vigil()
        self._arrived: deque[Message] = deque()
        self.core = HandleCore(self._send)
        self._attrs: dict[str, str] = {}

    # -- requests --------------------------------------------------------------------------

    def rpc(
        self,
        topic: str,
        payload: Payload = None,
        *,
        nodeid: int = c.NODEID_ANY,
        flags: int = 0,
        timeout: float = 0.0,
    ) -> Message:
        """Send a request and wait for its response.

        :raises OSError: the response is a failure, ``timeout`` seconds have passed, or the
            connection is gone
        """
        return self.start(topic, payload, nodeid=nodeid, flags=flags).get(timeout)

    def start(
        self,
        topic: str,
        payload: Payload = None,
        *,
        nodeid: int = c.NODEID_ANY,
        flags: int = 0,
    ) -> "Pending":
        """Send a request; what comes back gives its responses, one each time it is asked."""
        pending = Pending(self, topic, nodeid)
        pending.tag = self.core.request(pending, topic, payload, nodeid, flags)
        return pending

    def stream(
        self,
        topic: str,
        payload: Payload = None,
        *,
        nodeid: int = c.NODEID_ANY,
        timeout: float = 0.0,
    ) -> Iterator[Message]:
        """The responses to a streaming request, up to its ENODATA.

        :raises OSError: the stream ended with another error
        """
        pending = self.start(topic, payload, nodeid=nodeid, flags=c.STREAMING)
        while True:
            try:
                msg = pending.get(timeout)
            except OSError as exc:
                if exc.errno == errno.ENODATA:
                    return
                raise
            yield msg

    def notify(self, topic: str, payload: Payload = None, *, nodeid: int = c.NODEID_ANY) -> None:
        """Send a request that nobody answers."""
        self.core.send(request(topic, payload, nodeid=nodeid, flags=c.NORESPONSE))

    # -- events ----------------------------------------------------------------------------

    def publish(self, topic: str, payload: Payload = None, *, private: bool = False) -> None:
        """Publish an event without waiting for its sequence number."""
        self.core.send(event(topic, payload, flags=c.PRIVATE if private else 0))

    def subscribe(self, prefix: str, function: EventFunction) -> None:
        """Call ``function`` for every event whose topic starts with ``prefix``, whosever it is."""
        self.core.add_event_handler(prefix, function)
        self.rpc("event.subscribe", {"topic": prefix})

    def attr(self, name: str) -> str:
        """The value of a broker attribute; an immutable one is asked for once.

        :raises FileNotFoundError: it is not set
        """
        value = self._attrs.get(name)
        if value is None:
            answer = self.rpc("attr.get", {"name": name}).json
            value = str(answer["value"])
            if answer["flags"] & 1:
                self._attrs[name] = value
        return value

    # -- the socket ------------------------------------------------------------------------

    def fileno(self) -> int:
        """The socket, for a caller that waits for other things too."""
        return self._sock.fileno()

    def _send(self, msg: Message) -> None:
        self._creds.stamp(msg)
        self._sock.sendall(rfc3.encode(msg))
        if self._vigil is not None:
            self._vigil.said(time.perf_counter())

    def process(self, timeout: float | None = None) -> bool:
        """Wait for the socket and handle what has come; False if ``timeout`` seconds passed.

        :raises ConnectionResetError: the broker has closed the connection
        """
        if not self._arrived:
            data = self._receive(timeout)
            if data is None:
                return False
            if not data:
                raise rpc_error(errno.ECONNRESET)
            if self._vigil is not None:
                self._vigil.heard(time.perf_counter())
            for msg in self._reader.feed(data):
                self._arrived.append(msg)
        # What a function of the caller raises ends this call, and costs no other message.
        while self._arrived:
            self.core.receive(self._arrived.popleft())
        return True

    def _receive(self, timeout: float | None) -> bytes | None:
        """The next bytes; none at all when the connection is over, None after ``timeout``."""
        vigil = self._vigil
        while vigil is not None and vigil.goes_on(time.perf_counter()):
            try:
                return self._sock.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()  # the broker may want this processor
        if timeout is not None and not self._poll.poll(max(timeout, 0.0) * 1000):
            return None
        return self._sock.recv(_CHUNK)

    def close(self) -> None:
        """End the connection; the broker tells the services that we used (CONTRACTS A7)."""
        self._sock.close()

    def __enter__(self) -> "Flux":
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.close()


class Pending(Responses):
    """A request whose responses are still coming."""

    __slots__ = ("_flux",)

    def __init__(self, flux: Flux, topic: str, nodeid: int) -> None:
        super().__init__(topic, nodeid)
        self._flux = flux

    def get(self, timeout: float = 0.0) -> Message:
        """The next response; the last one again and again.

        :raises OSError: it is a failure, ``timeout`` seconds have passed, or the connection is
            gone
        """
        deadline = time.monotonic() + timeout if timeout > 0 else None
        while not self.ready:
            left = None if deadline is None else deadline - time.monotonic()
            if (left is not None and left <= 0) or not self._flux.process(left):
                self._flux.core.forget(self.tag)
                self.expire(timeout)
        return self.take()

    def cancel(self, topic: str) -> None:
        """Ask the service to end the stream by its cancel ``topic`` (CONTRACTS A16)."""
        if not self.ended:
            self._flux.notify(topic, {"matchtag": self.tag}, nodeid=self.nodeid)
