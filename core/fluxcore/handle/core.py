"""The handle without IO.

Theory of operation: a shell gives :class:`HandleCore` a ``send`` function and every message
that arrives. Outgoing requests take a matchtag and leave a *sink* behind; each response goes to
the sink of its matchtag, and the last one (any response to a plain request, the error response
that ends a stream) gives the matchtag back. Incoming requests go to the method of their topic,
events to the handlers of each prefix that matches. There is no clock and no task here; a method
that returns an awaitable is handed to ``spawn``, which only the asyncio shell has.
"""

import errno
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.matchtags import Matchtags
from fluxcore.handle.service import DEFERRED, EventFunction, Method, Reply
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, Payload, error_response, request, response

_TYPES: Final = (
    (c.REQUEST, "request"),
    (c.RESPONSE, "response"),
    (c.EVENT, "event"),
    (c.CONTROL, "control"),
)

#: What is sent as an answer as it is.
_PAYLOADS: Final = (dict, bytes)


class Sink(Protocol):
    """Takes the responses to one request, in order."""

    def feed(self, msg: Message) -> None:
        """Take ``msg``."""


#: Told of a method that raised something else than OSError: a fault of ours, not the caller's.
CrashHandler = Callable[[Message, Exception], None]
Spawn = Callable[[Message, "Awaitable[Reply]"], None]


def _no_spawn(_msg: Message, _answer: Awaitable[Reply]) -> None:
    raise RuntimeError("this handle cannot run a coroutine method")


class HandleCore:
    """Matchtags, pending requests, methods and event handlers of one handle."""

    def __init__(
        self,
        send: Callable[[Message], None],
        *,
        spawn: Spawn = _no_spawn,
        crashed: CrashHandler | None = None,
    ) -> None:
        self._send = send
        self._spawn = spawn
        self._crashed = crashed
        #: False after :meth:`disconnect`: nothing is received any more.
        self.connected = True
        self._tags = Matchtags()
        self._pending: dict[int, Sink] = {}
        self._methods: dict[str, Method] = {}
        self._fallback: Method | None = None
        self._forward: Callable[[Message], None] | None = None
        self._events: dict[str, list[tuple[EventFunction, int]]] = {}
        self._untagged: dict[str, Callable[[Message], None]] = {}
        self._tx = {c.REQUEST: 0, c.RESPONSE: 0, c.EVENT: 0, c.CONTROL: 0}
        self._rx = {c.REQUEST: 0, c.RESPONSE: 0, c.EVENT: 0, c.CONTROL: 0}

    # -- sending ---------------------------------------------------------------------------

    def send(self, msg: Message) -> None:
        """Send ``msg`` as it is, and give it away: it is not to be sent or looked at again."""
        self._tx[msg.type] += 1
        self._send(msg)

    def request(
        self,
        sink: Sink,
        topic: str,
        payload: Payload = None,
        nodeid: int = c.NODEID_ANY,
        flags: int = 0,
        *,
        creds: tuple[int, int] = (c.USERID_UNKNOWN, c.ROLE_NONE),
    ) -> int:
        """Send a request whose responses go to ``sink``; its matchtag.

        ``creds`` are a userid and rolemask to send it under instead of the handle's own.
        """
        tag = self._tags.alloc()
        self._pending[tag] = sink
        userid, rolemask = creds
        msg = Message(
            c.REQUEST,
            topic,
            payload,
            flags=flags,
            userid=userid,
            rolemask=rolemask,
            aux1=nodeid,
            aux2=tag,
        )
        try:
            self.send(msg)
        except BaseException:
            self._release(tag)
            raise
        return tag

    def _release(self, tag: int) -> Sink | None:
        """Give a matchtag back; the sink that waited under it, if one did."""
        sink = self._pending.pop(tag, None)
        if sink is not None:
            self._tags.free(tag)
        return sink

    def respond(self, req: Message, payload: Payload = None) -> None:
        """Answer ``req`` unless nobody waits for it."""
        if not req.flags & c.NORESPONSE:
            self.send(response(req, payload))

    def respond_error(self, req: Message, errnum: int, text: str | None = None) -> None:
        """Fail ``req`` unless nobody waits for it."""
        if not req.flags & c.NORESPONSE:
            self.send(error_response(req, errnum, text))

    def respond_exception(self, req: Message, exc: OSError) -> None:
        """Fail ``req`` with what ``exc`` says."""
        self.respond_error(req, exc.errno or errno.EINVAL, exc.strerror)

    # -- registering -----------------------------------------------------------------------

    def add_method(self, topic: str, method: Method) -> None:
        """Serve ``topic``.

        :raises ValueError: it is served already
        """
        if topic in self._methods:
            raise ValueError(f"{topic} is served already")
        self._methods[topic] = method

    def set_fallback(self, method: Method) -> None:
        """Serve every topic that has no method of its own."""
        self._fallback = method

    def set_forwarder(self, function: Callable[[Message], None]) -> None:
        """Give responses that still have a route to ``function``: they are a client's."""
        self._forward = function

    def add_event_handler(
        self, prefix: str, function: EventFunction, rolemask: int = c.ROLE_ALL
    ) -> None:
        """Call ``function`` for the events under ``prefix`` that one in ``rolemask`` has sent.

        The owner's events always come, those of nobody in particular only with ROLE_ALL.
        """
        self._events.setdefault(prefix, []).append((function, rolemask))

    def remove_event_handler(self, prefix: str, function: EventFunction) -> None:
        """Call ``function`` no more."""
        handlers = self._events[prefix]
        handlers.remove(next(handler for handler in handlers if handler[0] == function))
        if not handlers:
            del self._events[prefix]

    def on_untagged(self, topic: str, function: Callable[[Message], None]) -> None:
        """Give responses to ``topic`` without a matchtag to ``function``.

        Schedulers and execution services answer a request many times, each answer naming the
        job that it is about (CONTRACTS A14, E0, D20).
        """
        self._untagged[topic] = function

    def off_untagged(self, topic: str) -> None:
        """Drop such responses again."""
        self._untagged.pop(topic, None)

    # -- receiving -------------------------------------------------------------------------

    def receive(self, msg: Message) -> None:
        """Take a message that has arrived, if that is not after the end."""
        if not self.connected:
            return
        kind = msg.type
        self._rx[kind] += 1
        if kind == c.RESPONSE:
            self._receive_response(msg)
        elif kind == c.REQUEST:
            self._receive_request(msg)
        elif kind == c.EVENT:
            self._receive_event(msg)

    def _receive_response(self, msg: Message) -> None:
        if msg.routes and self._forward is not None:
            self._forward(msg)
            return
        feed = self._taker(msg)
        if feed is not None:
            self._feed(feed, msg)

    def _feed(self, feed: Callable[[Message], None], msg: Message) -> None:
        try:
            feed(msg)
        except Exception as exc:  # noqa: BLE001 - a fault of who asked is none of anybody else's
            self._report(msg, exc)

    def _taker(self, msg: Message) -> Callable[[Message], None] | None:
        """Who takes the response ``msg``; None if nobody waits for it."""
        if msg.aux2 == 0:
            return self._untagged.get(msg.topic or "")
        last = msg.aux1 or not msg.flags & c.STREAMING
        sink = self._release(msg.aux2) if last else self._pending.get(msg.aux2)
        return sink.feed if sink is not None else None

    def _receive_request(self, msg: Message) -> None:
        topic = msg.topic or ""
        method = self._methods.get(topic) or self._fallback
        if method is None:
            self.respond_error(msg, errno.ENOSYS, f"Unknown service method '{topic}'")
            return
        refusal = method.refusal(msg.rolemask)
        if refusal is not None:
            self.respond_error(msg, errno.EPERM, refusal)
            return
        try:
            answer = method.call(msg)
            if answer is not DEFERRED:
                self.answer(msg, answer)
        except OSError as exc:
            self.respond_exception(msg, exc)
        except Exception as exc:  # noqa: BLE001 - a fault in one method must not end the others
            self.fail_crashed(msg, exc)

    def answer(self, req: Message, answer: "Reply | Awaitable[Reply]") -> None:
        """Do with what a method returned as :mod:`~fluxcore.handle.service` says.

        :raises TypeError: it is nothing that a method may return
        """
        if answer is None or isinstance(answer, _PAYLOADS):
            self.respond(req, answer)
        elif isinstance(answer, Awaitable):
            self._spawn(req, answer)
        elif isinstance(answer, Mapping):
            self.respond(req, dict(answer))
        elif answer is not DEFERRED:
            raise TypeError(f"a method has returned {type(answer).__name__}")

    def fail_crashed(self, msg: Message, exc: Exception) -> None:
        """Answer a request whose method has a fault, and tell whoever logs such things."""
        self.respond_error(msg, errno.EIO, f"internal error: {type(exc).__name__}: {exc}")
        self._report(msg, exc)

    def _receive_event(self, msg: Message) -> None:
        topic, sender = msg.topic or "", msg.rolemask
        for prefix, handlers in list(self._events.items()):
            if not topic.startswith(prefix):
                continue
            for function, rolemask in list(handlers):
                if not _may_tell(sender, rolemask):
                    continue
                try:
                    function(msg)
                except Exception as exc:  # noqa: BLE001 - as for a method
                    self._report(msg, exc)

    def _report(self, msg: Message, exc: Exception) -> None:
        if self._crashed is None:
            raise exc
        self._crashed(msg, exc)

    # -- the end ---------------------------------------------------------------------------

    def forget(self, tag: int) -> None:
        """Let the responses to ``tag`` go nowhere; it is free again after the last one."""
        if tag in self._pending:
            self._pending[tag] = _NOWHERE

    def disconnect(self, errnum: int) -> None:
        """Be connected no more, and end every pending request with ``errnum``."""
        self.connected = False
        pending, self._pending = self._pending, {}
        for tag, sink in pending.items():
            self._tags.free(tag)
            self._feed(sink.feed, error_response(request("", matchtag=tag), errnum))

    # -- statistics ------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """Messages sent and received by type, as every module's stats-get has them (A25)."""
        return {
            way: {name: counts[kind] for kind, name in _TYPES}
            for way, counts in (("tx", self._tx), ("rx", self._rx))
        }

    def clear_stats(self) -> None:
        """Count from zero again."""
        for counts in (self._tx, self._rx):
            for kind in counts:
                counts[kind] = 0

    @property
    def pending(self) -> int:
        """The number of requests without a last response."""
        return len(self._pending)


def _may_tell(sender: int, rolemask: int) -> bool:
    """True if an event of one with the roles ``sender`` is for a handler with ``rolemask``."""
    return rolemask == c.ROLE_ALL or bool(sender & (rolemask | c.ROLE_OWNER))


class _Nowhere:
    def feed(self, msg: Message) -> None:
        """Drop ``msg``."""


_NOWHERE: Final = _Nowhere()


def response_result(msg: Message) -> Message:
    """``msg`` if it is a success.

    :raises OSError: what the error response says
    """
    if msg.aux1:
        raise rpc_error(msg.aux1, msg.text)
    return msg
