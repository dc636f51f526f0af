"""The connector-local module: the listening socket and its connections."""

import asyncio
import errno
import os
import socket
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_WARNING
from fluxcore.handle.module import DEFERRED, Module, Reply
from fluxcore.handle.peercred import peer_pid, peer_userid
from fluxcore.handle.service import Method
from fluxcore.handle.stream import MessageStream
from fluxcore.handle.subscriptions import Subscriptions
from fluxcore.handle.uri import local_path
from fluxcore.handle.vigil import Vigil, new_vigil
from fluxcore.modules.connector_local.access import AccessPolicy, Credentials
from fluxcore.modules.connector_local.clients import Client, Clients
from fluxcore.wire.constants import (
    REQUEST,
    RESPONSE,
    ROLE_ALL,
    ROLE_OWNER,
    ROLE_USER,
    USERID_UNKNOWN,
)
from fluxcore.wire.message import Message, unsendable

_BACKLOG: Final = 128
#: Debug flags for tests, each good for one connection: let nobody in; take the owner for a guest.
_REFUSE_ONE: Final = 1
_DROP_OWNER_ONCE: Final = 4
#: Seconds that clients have to read the last of what they were sent.
_LINGER: Final = 1.0


class _Connection(MessageStream):
    """One accepted socket: greets it, then hands its messages to its client."""

    def __init__(self, connector: "ConnectorLocal") -> None:
        self._connector = connector
        self._client: Client | None = None
        self._pid = 0
        #: Done when all has been sent and the socket is closed.
        self.over: asyncio.Future[None] = connector.flux.loop.create_future()
        self._vigil = new_vigil()
        super().__init__(connector.flux.loop, self._arrived, self._gone)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or send it the errno that says why not (CONTRACTS A4)."""
        super().connection_made(transport)
        self._connector.connections.add(self)
        sock = transport.get_extra_info("socket")
        self._pid = peer_pid(sock)
        self._connector.connects += 1
        creds = self._connector.authenticate(sock)
        if creds is None:
            self.write(bytes((errno.EPERM,)))
            self.close()
            return
        self.write(b"\0")
        self._client = self._connector.clients.add(creds, self.deliver)

    def deliver(self, msg: Message) -> None:
        """Send ``msg``, or say that its payload cannot be sent: its maker's fault, not ours."""
        try:
            self.send(msg)
        except TypeError as exc:
            flux = self._connector.flux
            flux.log(LOG_ERR, f"{msg.topic}: payload cannot be sent: {exc}")
            if msg.type == RESPONSE:
                self.send(unsendable(msg, exc))
            elif msg.type == REQUEST:
                flux.respond_error(msg, errno.EPROTO, str(exc))

    def data_received(self, data: bytes) -> None:
        """Handle what the client has sent (called by the loop)."""
        if self._vigil is not None:
            self._vigil.heard(perf_counter())
        super().data_received(data)

    def _flush(self) -> None:
        if self._vigil is not None and self._out and self._vigil.said(perf_counter()):
            self._loop.call_soon(self._stay_awake, self._vigil)
        super()._flush()

    def _stay_awake(self, vigil: Vigil) -> None:
        """Look for the next request: what is planned for the next loop turn lets it not sleep."""
        if vigil.goes_on(perf_counter()):
            self._loop.call_soon(self._stay_awake, vigil)

    def _arrived(self, msg: Message) -> None:
        if self._client is not None:
            self._client.received(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; nothing of the connection is left."""
        super().connection_lost(exc)
        self.over.set_result(None)
        self._connector.connections.discard(self)

    def describe(self) -> dict[str, Any]:
        """The connection's entry in connector-local.stats-get; the backlog is in bytes."""
        client = self._client
        return {
            "uuid": client.uuid if client else "",
            "userid": client.creds.userid if client else USERID_UNKNOWN,
            "pid": self._pid,
            "txcount": client.sent if client else 0,
            "rxcount": client.got if client else 0,
            "rxbacklog": self.unsent,
        }

    def _gone(self, _exc: Exception | None) -> None:
        if self._client is not None:
            self._connector.clients.remove(self._client)


class _BrokerSubscriptions(Subscriptions):
    """The subscriptions of all clients together; the first and last of a prefix go on."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self._module = module

    def add(self, prefix: str) -> bool:
        first = super().add(prefix)
        if first:
            self._module.flux.rpc("event.subscribe", {"topic": prefix})
        return first

    def remove(self, prefix: str) -> bool:
        last = super().remove(prefix)
        if last and self._module.flux.connected:
            self._module.flux.rpc("event.unsubscribe", {"topic": prefix})
        return last


class ConnectorLocal(Module):
    """Serves the local:// URI of one broker."""

    name = "connector-local"
    placement = "loop"

    async def start(self) -> None:
        """Listen."""
        self.connections: set[_Connection] = set()
        self.connects = 0
        self._take_policy(self.conf)
        core = self.flux.core
        self.clients = Clients(core, _BrokerSubscriptions(self))
        core.set_forwarder(self.clients.response)
        core.add_event_handler("", self.clients.event)
        core.set_fallback(Method(self._serve, ROLE_ALL))
        path = local_path(self.flux.cached_attr("local-uri"))
        self._path = path
        # The socket is open to all: who may come in is decided by who they are, not by a mode.
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(path):
            os.unlink(path)
        sock.bind(path)
        os.chmod(path, 0o777)  # noqa: S103
        self._server = await self.flux.loop.create_unix_server(
            lambda: _Connection(self), sock=sock, backlog=_BACKLOG
        )

    def authenticate(self, sock: socket.socket) -> Credentials | None:
        """The credentials of who has connected; None if there is no role for them."""
        userid = peer_userid(sock)
        if self._once(_REFUSE_ONE):
            self.flux.log(LOG_ERR, f"connect by uid={userid} denied by debug flag")
            return None
        rolemask = self._policy.rolemask(userid, lambda text: self.flux.log(LOG_WARNING, text))
        if not rolemask:
            self.flux.log(LOG_ERR, f"client_authenticate: uid={userid} no assigned roles")
            return None
        if self._once(_DROP_OWNER_ONCE) and rolemask & ROLE_OWNER:
            return Credentials(USERID_UNKNOWN, ROLE_USER)
        return Credentials(userid, rolemask)

    def _once(self, flag: int) -> bool:
        """True if a debug flag is set, which it then is no more."""
        was = self.debug_flags & flag
        self.debug_flags &= ~flag
        return bool(was)

    def _take_policy(self, conf: Mapping[str, Any]) -> None:
        self._policy = AccessPolicy.from_conf(os.getuid(), conf)
        for name, allowed in (
            ("allow-guest-user", self._policy.allow_guest_user),
            ("allow-root-owner", self._policy.allow_root_owner),
        ):
            self.flux.log(LOG_DEBUG, f"{name}={str(allowed).lower()}")

    def _serve(self, req: Message) -> Reply:
        """A request for a service that a client has registered."""
        if not self.clients.request(req):
            raise rpc_error(errno.ENOSYS)
        return DEFERRED

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed ``[access]`` table; it counts for those who connect from now on."""
        self._take_policy(conf)

    def stats(self) -> dict[str, Any]:
        """What connector-local.stats-get answers."""
        clients = [connection.describe() for connection in self.connections]
        return {
            "server": {"clients": clients, "connects": self.connects},
            "allow_guest_user": self._policy.allow_guest_user,
            "allow_root_owner": self._policy.allow_root_owner,
        }

    async def stop(self) -> None:
        """Stop listening and close every connection; who does not read is not waited for long."""
        self._server.close()
        connections = list(self.connections)
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([each.over for each in connections], timeout=_LINGER)
        for connection in list(self.connections):
            connection.abort()
        if os.path.exists(self._path):
            os.unlink(self._path)
