"""The overlay's ZeroMQ sockets on an asyncio loop (CONTRACTS B2).

A message is one frame in the overlay codec. The parent binds a ROUTER, a child connects a DEALER
whose identity is its broker uuid. ZeroMQ's descriptor is edge-triggered: it says that something may
have happened, once. So after every send, and after every wake-up, the sockets are read until they
are empty.
"""

import asyncio
import contextlib
import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import zmq
from zmq.utils.monitor import recv_monitor_message
from zmq.utils.z85 import decode as z85_decode

from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.zap import DOMAIN, Authenticator
from fluxcore.wire import tbon
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message

_LINGER_MS: Final = 5
#: A CURVE key, in Z85 text and in bytes.
_KEY_CHARS: Final = 40
_KEY_BYTES: Final = 32
#: The most messages taken from one socket before the loop gets a turn.
_BATCH: Final = 256
_PARENT_EVENTS: Final = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, each key in Z85 text."""

    public: str
    secret: str

    @classmethod
    def generate(cls) -> "KeyPair":
        """A new pair."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


def is_public_key(value: object) -> bool:
    """True if ``value`` is a CURVE key in Z85 text."""
    if not isinstance(value, str) or len(value) != _KEY_CHARS:
        return False
    try:
        return len(z85_decode(value)) == _KEY_BYTES
    except (KeyError, ValueError, struct.error):
        return False


class Receiver(Protocol):
    """Takes what arrives."""

    def from_child(self, uuid: str, msg: Message) -> None:
        """A child's message."""

    def from_parent(self, msg: Message) -> None:
        """The parent's message."""

    def parent_lost(self) -> None:
        """The connection to the parent has ended."""


class OverlaySockets:
    """The sockets of one broker: up to one each way."""

    def __init__(self, keys: KeyPair, io_threads: int = 1, child_rcvhwm: int = 0) -> None:
        self._keys = keys
        self._child_rcvhwm = child_rcvhwm
        #: Told of frames and peers that were turned away.
        self.on_refused: Callable[[str], None] = lambda _text: None
        self._context: zmq.Context[Any] = zmq.Context(io_threads)
        self._router: zmq.Socket[Any] | None = None
        self._dealer: zmq.Socket[Any] | None = None
        self._monitor: zmq.Socket[Any] | None = None
        self._auth: Authenticator | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._receiver: Receiver | None = None
        self._scheduled = False
        self._endpoint = ""

    # -- set-up: before the loop runs ------------------------------------------------------

    def bind(self, endpoint: str) -> str:
        """Listen for children at ``endpoint``; the endpoint as they must name it.

        :raises OSError: the address cannot be bound
        """
        self._auth = Authenticator(self._context, lambda text: self.on_refused(text))
        router = self._router = self._context.socket(zmq.ROUTER)
        _set_common(router, self._keys)
        router.rcvhwm = self._child_rcvhwm
        router.router_mandatory = 1
        router.router_handover = 1
        router.curve_server = 1
        router.zap_domain = DOMAIN
        try:
            router.bind(endpoint)
        except zmq.ZMQError as exc:
            raise rpc_error(exc.errno or errno.EINVAL, f"bind {endpoint}: {exc.strerror}") from None
        self._endpoint = str(router.last_endpoint.decode().rstrip("\0"))
        return self._endpoint

    def allow(self, public_key: str) -> None:
        """Let the child with ``public_key`` (Z85) in."""
        assert self._auth is not None, "bind comes first"
        self._auth.allowed.add(z85_decode(public_key))

    def connect(self, endpoint: str, public_key: str, uuid: str) -> None:
        """Connect to the parent at ``endpoint``, which must hold ``public_key`` (Z85).

        :raises OSError: the endpoint is none
        """
        dealer = self._dealer = self._context.socket(zmq.DEALER)
        _set_common(dealer, self._keys)
        dealer.identity = uuid.encode()
        dealer.curve_serverkey = public_key.encode()
        self._monitor = dealer.get_monitor_socket(_PARENT_EVENTS)
        try:
            dealer.connect(endpoint)
        except zmq.ZMQError as exc:
            text = f"connect {endpoint}: {exc.strerror}"
            raise rpc_error(exc.errno or errno.EINVAL, text) from None

    # -- running ---------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop, receiver: Receiver) -> None:
        """Give what arrives to ``receiver`` from now on."""
        self._loop = loop
        self._receiver = receiver
        for sock in self._sockets():
            loop.add_reader(_descriptor(sock), self._ready)
        self._schedule()

    def _sockets(self) -> "list[zmq.Socket[Any]]":
        auth = self._auth.socket if self._auth is not None else None
        return [s for s in (self._router, self._dealer, self._monitor, auth) if s is not None]

    def send_child(self, uuid: str, msg: Message) -> None:
        """Send to the child of ``uuid``.

        :raises OSError: EHOSTUNREACH if it is not connected
        """
        if self._router is None:
            raise rpc_error(errno.EHOSTUNREACH)
        try:
            self._router.send_multipart((uuid.encode(), tbon.encode(msg)), zmq.DONTWAIT)
        except zmq.ZMQError as exc:
            raise rpc_error(errno.EHOSTUNREACH, exc.strerror) from None
        self._schedule()

    def send_parent(self, msg: Message) -> None:
        """Send to the parent; what cannot be sent any more is dropped with the connection."""
        if self._dealer is not None:
            self._dealer.send(tbon.encode(msg), zmq.DONTWAIT)
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._ready)

    def _ready(self) -> None:
        self._scheduled = False
        more = self._read(self._auth.socket, self._take_question) if self._auth else False
        if self._router is not None:
            more |= self._read(self._router, self._take_from_child)
        if self._dealer is not None:
            more |= self._read(self._dealer, self._take_from_parent)
        if self._monitor is not None:
            more |= self._read(self._monitor, self._take_monitor)
        if more:
            self._schedule()

    def _read(self, sock: "zmq.Socket[Any]", take: Callable[[], None]) -> bool:
        """Take what ``sock`` has, a batch at most; True if there may be more."""
        for _ in range(_BATCH):
            if sock.closed or not int(sock.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return False
            try:
                take()
            except Exception as exc:  # noqa: BLE001 - one message must not hold up the others
                self._report(exc)
        return True

    def _report(self, exc: Exception) -> None:
        """A fault of ours in handling a message, for the loop to log."""
        assert self._loop is not None
        what = {"message": "a message from the overlay could not be handled", "exception": exc}
        self._loop.call_exception_handler(what)

    def _take_question(self) -> None:
        assert self._auth is not None
        self._auth.answer()

    def _take_from_child(self) -> None:
        assert self._router is not None
        assert self._receiver is not None
        frames = self._router.recv_multipart(zmq.DONTWAIT)
        try:
            uuid = frames[0].decode()
            msg = tbon.decode(frames[-1])
        except (WireError, UnicodeDecodeError) as exc:
            self.on_refused(f"dropped a frame from a child: {exc}")
            return
        self._receiver.from_child(uuid, msg)

    def _take_from_parent(self) -> None:
        assert self._dealer is not None
        assert self._receiver is not None
        frame = self._dealer.recv(zmq.DONTWAIT)
        try:
            msg = tbon.decode(frame)
        except WireError as exc:
            self.on_refused(f"dropped a frame from the parent: {exc}")
            return
        self._receiver.from_parent(msg)

    def _take_monitor(self) -> None:
        assert self._monitor is not None
        assert self._receiver is not None
        recv_monitor_message(self._monitor, zmq.DONTWAIT)
        self._receiver.parent_lost()

    def close(self) -> None:
        """Send what is on its way, for a few milliseconds, and close."""
        if self._loop is not None:
            for sock in self._sockets():
                self._loop.remove_reader(_descriptor(sock))
        if self._dealer is not None:
            self._dealer.disable_monitor()
            self._dealer.close()
        if self._monitor is not None:
            self._monitor.close(0)
        if self._router is not None:
            self._router.close()
        if self._auth is not None:
            self._auth.close()
        self._router = self._dealer = self._monitor = self._auth = None
        self._context.term()
        self._remove_file()

    def _remove_file(self) -> None:
        """Remove the file of an ipc:// endpoint, which libzmq leaves."""
        scheme, _, path = self._endpoint.partition("://")
        self._endpoint = ""
        if scheme == "ipc":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _descriptor(sock: "zmq.Socket[Any]") -> int:
    return int(sock.getsockopt(zmq.FD))


def _set_common(sock: "zmq.Socket[Any]", keys: KeyPair) -> None:
    sock.linger = _LINGER_MS
    sock.sndhwm = 0
    sock.rcvhwm = 0
    sock.curve_publickey = keys.public.encode()
    sock.curve_secretkey = keys.secret.encode()
