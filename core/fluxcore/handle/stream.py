"""A stream socket that carries RFC 3 messages, on an asyncio loop."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from typing import Final, cast

from fluxcore.handle.errors import rpc_error
from fluxcore.wire import rfc3
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message

#: A peer may be behind by the longest message there is, and some.
MAX_UNSENT: Final = rfc3.MAX_SIZE + (64 << 20)


class MessageStream(asyncio.Protocol):
    """Both ends of a connector: reads messages, gathers writes.

    What is sent while messages are being received leaves when the last of them has been
    handled; what is sent at any other time leaves at the end of the loop turn. Either way it is
    one write however many messages there are.

    A peer that does not read is waited for until ``max_unsent`` bytes have gathered; then it is
    dropped, so that it costs itself the connection and not us the memory.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[Message], None],
        on_close: Callable[[Exception | None], None],
        max_size: int = rfc3.MAX_SIZE,
        max_unsent: int = MAX_UNSENT,
    ) -> None:
        self._loop = loop
        self._on_message = on_message
        self._on_close = on_close
        self._reader = rfc3.Reader(max_size)
        self._max_unsent = max_unsent
        self._transport: asyncio.WriteTransport | None = None
        self._out: list[bytes] = []
        self._held = False
        self._closed = False

    # -- asyncio.Protocol ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start (called by the loop)."""
        # A stream socket's transport can write, though uvloop's is no asyncio.WriteTransport.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Handle the messages that ``data`` completes; a broken stream is closed silently."""
        held, self._held = self._held, True
        try:
            messages = self._reader.feed(data)
            while (msg := self._next(messages)) is not None:
                self._on_message(msg)
        finally:
            self._held = held
            self._flush()

    def _next(self, messages: Iterator[Message]) -> Message | None:
        """The next message; None if there is none, or the stream has ended or is broken."""
        if self._closed:
            return None
        try:
            return next(messages, None)
        except WireError as exc:
            self._flush()  # what came before was a message, and is answered
            self._end(exc)
            return None

    def connection_lost(self, exc: Exception | None) -> None:
        """End (called by the loop)."""
        self._transport = None
        self._end(exc)

    # -- our side --------------------------------------------------------------------------

    def send(self, msg: Message) -> None:
        """Send ``msg`` soon; after the end it goes nowhere."""
        self.write(rfc3.encode(msg))

    def write(self, data: bytes) -> None:
        """Send bytes that are encoded already."""
        if self._closed:
            return
        if not self._out and not self._held:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not read yet, as far as we know."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return waiting + sum(map(len, self._out))

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            out, self._out = self._out, []
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            if self._transport.get_write_buffer_size() > self._max_unsent:
                self._transport.abort()
                self._end(rpc_error(errno.ENOBUFS))

    def close(self) -> None:
        """Send what is gathered, then close."""
        self._flush()
        self._end(None)

    def abort(self) -> None:
        """Close without waiting for the peer to read what it has been sent."""
        if self._transport is not None:
            self._transport.abort()
        self._end(None)

    def _end(self, exc: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._out.clear()
        if self._transport is not None:
            self._transport.close()
        self._on_close(exc)
