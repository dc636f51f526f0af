"""The handle on an asyncio loop."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson  # noqa: F401 - who has a loop stays, and reads payloads the quick way (wire/jsontext)

from fluxcore.handle.calls import Call, Stream
from fluxcore.handle.core import HandleCore
from fluxcore.handle.creds import Creds
from fluxcore.handle.logline import LOG_ERR, format_line
from fluxcore.handle.service import EventFunction, Reply
from fluxcore.handle.socket import open_socket
from fluxcore.handle.stream import MessageStream
from fluxcore.handle.subscriptions import Subscriptions
from fluxcore.handle.uri import local_path
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, Payload, event, request


class Flux:
    """A handle: what a module, the console or a program has of a Flux instance.

    Made by :func:`connect` for a socket, or by the broker for a module. ``send`` is where
    messages go; messages that arrive are given to ``receive``.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        name: str = "",
        uuid: str = "",
        attrs: dict[str, str] | None = None,
    ) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.core = HandleCore(send, spawn=self._spawn, crashed=self._log_crash)
        self.receive = self.core.receive
        self.name = name
        self.uuid = uuid
        self._attrs = dict(attrs or {})
        self._subscriptions = Subscriptions()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closers: list[Callable[[], None]] = []
        self._on_disconnect: list[Callable[[Exception | None], None]] = []

    # -- requests --------------------------------------------------------------------------

    def rpc(
        self,
        topic: str,
        payload: Payload = None,
        *,
        nodeid: int = c.NODEID_ANY,
        flags: int = 0,
        timeout: float = 0.0,
    ) -> Call:
        """Send a request now; await the result for its response.

        :param timeout: seconds, after which awaiting raises TimeoutError; 0 for none
        """
        self._check()
        return Call(self, topic, payload, nodeid, flags, timeout)

    def stream(
        self,
        topic: str,
        payload: Payload = None,
        *,
        nodeid: int = c.NODEID_ANY,
        flags: int = 0,
        timeout: float = 0.0,
        cancel: str | None = None,
    ) -> Stream:
        """Send a streaming request now; iterate over the result for its responses.

        :param timeout: seconds between responses, after which TimeoutError is raised
        :param cancel: the topic of the service's cancel request, if it has one
        """
        self._check()
        return Stream(self, topic, payload, nodeid, flags, timeout, cancel)

    def notify(self, topic: str, payload: Payload = None, *, nodeid: int = c.NODEID_ANY) -> None:
        """Send a request that nobody answers."""
        self._check()
        self.core.send(request(topic, payload, nodeid=nodeid, flags=c.NORESPONSE))

    @property
    def connected(self) -> bool:
        """False once the connection is gone or the handle closed."""
        return self.core.connected

    def _check(self) -> None:
        if not self.connected:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    # -- serving ---------------------------------------------------------------------------

    def respond(self, req: Message, payload: Payload = None) -> None:
        """Answer ``req``."""
        self.core.respond(req, payload)

    def respond_error(self, req: Message, errnum: int, text: str | None = None) -> None:
        """Fail ``req``."""
        self.core.respond_error(req, errnum, text)

    async def add_service(self, name: str) -> None:
        """Let requests to ``name`` come here (CONTRACTS A9).

        :raises OSError: EEXIST if it is taken, EINVAL for a bad name
        """
        await self.rpc("service.add", {"service": name})

    async def remove_service(self, name: str) -> None:
        """Let requests to ``name`` come here no more."""
        await self.rpc("service.remove", {"service": name})

    # -- events ----------------------------------------------------------------------------

    def publish(self, topic: str, payload: Payload = None, *, private: bool = False) -> None:
        """Publish an event without waiting for its sequence number (CONTRACTS A17)."""
        self._check()
        self.core.send(event(topic, payload, flags=c.PRIVATE if private else 0))

    async def subscribe(self, prefix: str, function: EventFunction) -> None:
        """Call ``function`` for every event whose topic starts with ``prefix``.

        Those that guests publish too: look at the event's rolemask where that matters.
        """
        self.core.add_event_handler(prefix, function)
        if not self._subscriptions.add(prefix):
            return
        try:
            await self.rpc("event.subscribe", {"topic": prefix})
        except BaseException:
            self._subscriptions.remove(prefix)
            self.core.remove_event_handler(prefix, function)
            raise

    async def unsubscribe(self, prefix: str, function: EventFunction) -> None:
        """Call ``function`` no more."""
        self.core.remove_event_handler(prefix, function)
        if self._subscriptions.remove(prefix):
            await self.rpc("event.unsubscribe", {"topic": prefix})

    # -- the broker's attributes and log ---------------------------------------------------

    async def attr(self, name: str) -> str:
        """The value of a broker attribute; an immutable one is asked for once.

        :raises FileNotFoundError: it is not set
        """
        value = self._attrs.get(name)
        if value is None:
            answer = (await self.rpc("attr.get", {"name": name})).json
            value = str(answer["value"])
            if answer["flags"] & 1:
                self._attrs[name] = value
        return value

    def cached_attr(self, name: str) -> str:
        """The value of an attribute that came with the handle (a module's immutable ones)."""
        return self._attrs[name]

    def log(self, level: int, text: str) -> None:
        """Write ``text`` to the broker's log at a syslog level (0 to 7)."""
        if not self.connected:
            return
        line = format_line(
            level, text, now=time.time(), rank=self._attrs.get("rank", "-"), app=self.name
        )
        self.core.send(request("log.append", line))

    # -- tasks -----------------------------------------------------------------------------

    def task(self, work: Awaitable[Any], what: str = "task") -> "asyncio.Task[None]":
        """Run ``work`` until it ends or the handle closes; what it raises is logged."""
        task = self.loop.create_task(self._guard(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        close_with(task, work)
        return task

    async def _guard(self, work: Awaitable[Any], what: str) -> None:
        try:
            await work
        except OSError as exc:
            if self.connected:
                self.log(LOG_ERR, f"{what}: {exc.strerror or exc}")
        except Exception as exc:  # noqa: BLE001 - nobody awaits this task; the log is its reader
            self.log_exception(what, exc)

    def _spawn(self, req: Message, answer: Awaitable[Reply]) -> None:
        close_with(self.task(self._answer(req, answer), req.topic or ""), answer)

    async def _answer(self, req: Message, answer: Awaitable[Reply]) -> None:
        try:
            self.core.answer(req, await answer)
        except OSError as exc:
            self.core.respond_exception(req, exc)
        except Exception as exc:  # noqa: BLE001 - as for a method that is no coroutine
            self.core.fail_crashed(req, exc)

    def _log_crash(self, msg: Message, exc: Exception) -> None:
        self.log_exception(f"{msg.topic}: internal error", exc)

    def log_exception(self, what: str, exc: BaseException) -> None:
        """Write a fault of ours to the log, with its traceback."""
        import traceback

        self.log(LOG_ERR, what)
        for line in "".join(traceback.format_exception(exc)).splitlines():
            self.log(LOG_ERR, line)

    # -- the end ---------------------------------------------------------------------------

    def on_disconnect(self, function: Callable[[Exception | None], None]) -> None:
        """Call ``function`` when the connection is lost; not when :meth:`close` ends it."""
        self._on_disconnect.append(function)

    def on_close(self, function: Callable[[], None]) -> None:
        """Call ``function`` when :meth:`close` ends the handle."""
        self._closers.append(function)

    def lost(self, exc: Exception | None) -> None:
        """The connection is gone (called by the connector): every pending request fails."""
        if not self.connected:
            return
        self.core.disconnect(errno.ECONNRESET)
        for function in self._on_disconnect:
            function(exc)

    async def close(self) -> None:
        """End the handle: its tasks are cancelled, its pending requests fail."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        self.core.disconnect(errno.ECONNRESET)
        for function in self._closers:
            function()

    async def __aenter__(self) -> "Flux":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()


def close_with(task: "asyncio.Task[None]", work: Awaitable[Any]) -> None:
    """Close what ``task`` awaits when it ends: one cancelled before its first step never does."""
    if isinstance(work, Coroutine):
        task.add_done_callback(lambda _task: work.close())


async def connect(uri: str | None = None) -> Flux:
    """A handle for the broker at ``uri``, by default at FLUX_URI.

    :raises OSError: there is no broker there, or it does not let us in
    """
    loop = asyncio.get_running_loop()
    creds = Creds.from_environ()
    sock = await _open_socket(loop, local_path(uri))
    flux: Flux | None = None

    def arrived(msg: Message) -> None:
        assert flux is not None
        flux.receive(msg)

    def lost(exc: Exception | None) -> None:
        if flux is not None:
            flux.lost(exc)

    sock.setblocking(False)

    def send(msg: Message) -> None:
        creds.stamp(msg)
        stream.send(msg)

    stream = MessageStream(loop, arrived, lost)
    flux = Flux(send, loop=loop)
    flux.on_close(stream.close)
    try:
        await loop.create_connection(lambda: stream, sock=sock)
    except BaseException:
        sock.close()
        raise
    return flux


async def _open_socket(loop: asyncio.AbstractEventLoop, path: str) -> socket.socket:
    """Connect in a thread: it may take a while. A caller that gives up leaves no socket."""
    opening = loop.run_in_executor(None, open_socket, path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: "asyncio.Future[socket.socket]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
