"""The connector's clients, without IO (CONTRACTS A6-A9).

A client's requests go on to the broker with its uuid on the route stack, except the four that
the connector answers itself: subscriptions and services are kept by client here and added up
towards the broker. When a client goes, every service that it used is told.
"""

import errno
import uuid
from collections.abc import Callable
from typing import Final, Protocol

from fluxcore.handle.core import HandleCore
from fluxcore.handle.disconnects import Disconnects
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.subscribers import Subscribers
from fluxcore.handle.subscriptions import Subscriptions
from fluxcore.handle.tracker import RpcTracker
from fluxcore.modules.connector_local.access import Credentials
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, request, response
from fluxcore.wire.payload import need_str
from fluxcore.wire.rfc3 import MAX_ROUTES

_MAX_TOPIC: Final = 255
#: Hops that a client's request may bring along; the tree needs the rest of what a message holds.
_MAX_ROUTES: Final = MAX_ROUTES // 2


class _Relay:
    """Takes the broker's answer to a service.add or service.remove made for a client."""

    def __init__(self, done: Callable[[Message], None]) -> None:
        self.feed = done


class SubscriptionHolder(Protocol):
    """Something that counts subscriptions: the broker, for all our clients together."""

    def add(self, prefix: str) -> bool:
        """Subscribe once more."""

    def remove(self, prefix: str) -> bool:
        """Take one subscription back."""


class Client:
    """One connection."""

    def __init__(self, clients: "Clients", creds: Credentials, send: Callable[[Message], None]):
        self.uuid = str(uuid.uuid4())
        self.creds = creds
        #: Messages that it has sent, and that it has been sent.
        self.sent = self.got = 0
        self._send = send
        self._subscriptions = Subscriptions()
        self.disconnects = Disconnects()
        self.services: set[str] = set()
        self._asked = RpcTracker()
        self._clients = clients
        self._intercept: Final = {
            "event.subscribe": self._subscribe,
            "event.unsubscribe": self._unsubscribe,
            "service.add": self._add_service,
            "service.remove": self._remove_service,
        }

    def send(self, msg: Message) -> None:
        """Send ``msg`` to the client."""
        self.got += 1
        self._send(msg)

    def received(self, msg: Message) -> None:
        """The client has sent ``msg``."""
        self.sent += 1
        self.creds.stamp(msg)
        if msg.type == c.REQUEST:
            self._request(msg)
        elif msg.type == c.RESPONSE:
            self._response(msg)
        elif msg.type == c.EVENT:
            self._clients.core.send(msg)

    def serve(self, req: Message) -> None:
        """Send the client a request to a service of its own."""
        self._asked.sent(req)
        self.send(req)

    def _response(self, msg: Message) -> None:
        """The client answers; a guest, who could claim anything, only what it has been asked."""
        asked = self._asked.received(msg)
        if asked or self.creds.is_owner:
            self._clients.core.send(msg)

    def _request(self, msg: Message) -> None:
        intercept = self._intercept.get(msg.topic or "")
        if intercept is not None:
            try:
                intercept(msg)
            except OSError as exc:
                self._answer(msg, exc)
            return
        if len(msg.topic or "") > _MAX_TOPIC:
            self._answer(msg, rpc_error(errno.EINVAL, "topic is too long"))
            return
        if len(msg.routes or ()) > _MAX_ROUTES:
            # It would be refused on its way, where nobody can answer it any more.
            self._answer(msg, rpc_error(errno.EPROTO, "route stack is too deep"))
            return
        msg.routes = (*(msg.routes or ()), self.uuid)
        self.disconnects.arm(msg)
        self._clients.core.send(msg)

    def _answer(self, req: Message, exc: OSError | None = None) -> None:
        """Answer a request that the connector has intercepted."""
        if req.noresponse:
            return
        if exc is None:
            self.send(response(req, rolemask=c.ROLE_OWNER))
        else:
            errnum = exc.errno or errno.EINVAL
            self.send(error_response(req, errnum, exc.strerror, rolemask=c.ROLE_OWNER))

    def _subscribe(self, req: Message) -> None:
        prefix = need_str(req.json, "topic")
        if len(prefix) > _MAX_TOPIC:
            raise rpc_error(errno.EINVAL, "topic is too long")
        if self._subscriptions.add(prefix):
            self._clients.subscribe(prefix, self)
        self._answer(req)

    def _unsubscribe(self, req: Message) -> None:
        prefix = need_str(req.json, "topic")
        if self._subscriptions.remove(prefix):
            self._clients.unsubscribe(prefix, self)
        self._answer(req)

    def _add_service(self, req: Message) -> None:
        name = need_str(req.json, "service")
        if name in self._clients.services:
            raise rpc_error(errno.EEXIST)
        self._clients.services[name] = self
        self.services.add(name)

        def done(answer: Message) -> None:
            if answer.errnum:
                self._forget_service(name)
            self._relay_answer(req, answer)

        self._ask(req, name, done)

    def _remove_service(self, req: Message) -> None:
        name = need_str(req.json, "service")
        if self._clients.services.get(name) is not self:
            raise rpc_error(errno.ENOENT)
        self._forget_service(name)
        self._ask(req, name, lambda answer: self._relay_answer(req, answer))

    def _ask(self, req: Message, name: str, done: Callable[[Message], None]) -> None:
        """Pass a request about a service on, as who sends it claims to be (see Credentials)."""
        creds = (req.userid, req.rolemask)
        self._clients.core.request(_Relay(done), req.topic or "", {"service": name}, creds=creds)

    def _relay_answer(self, req: Message, answer: Message) -> None:
        self._answer(req, rpc_error(answer.errnum, answer.text) if answer.errnum else None)

    def _forget_service(self, name: str) -> None:
        self.services.discard(name)
        self._clients.services.pop(name, None)

    def gone(self) -> None:
        """The connection has ended."""
        for prefix in self._subscriptions:
            self._clients.unsubscribe(prefix, self)
        for name in list(self.services):
            self._forget_service(name)
            owner = self.creds
            msg = request(
                "service.remove",
                {"service": name},
                flags=c.NORESPONSE,
                userid=owner.userid,
                rolemask=owner.rolemask,
            )
            self._clients.core.send(msg)
        for req in self._asked.purge():
            self._clients.core.respond_error(req, errno.EHOSTUNREACH, "service disconnect")
        self.disconnects.fire(self._clients.core.send)


class Clients:
    """All connections, and where what comes from the broker goes."""

    def __init__(self, core: HandleCore, subscriptions: SubscriptionHolder) -> None:
        self.core = core
        self._upstream = subscriptions
        self._subscribers: Subscribers[Client] = Subscribers()
        self.services: dict[str, Client] = {}
        self._clients: dict[str, Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, creds: Credentials, send: Callable[[Message], None]) -> Client:
        """A new connection, which ``send`` sends to."""
        client = Client(self, creds, send)
        self._clients[client.uuid] = client
        return client

    def remove(self, client: Client) -> None:
        """A connection has ended."""
        if self._clients.pop(client.uuid, None) is not None:
            client.gone()

    def response(self, msg: Message) -> None:
        """A response to the client on top of the route stack; dropped if it is gone."""
        client = self._clients.get(msg.routes[-1]) if msg.routes else None
        if client is not None:
            client.send(msg.popped())

    def event(self, msg: Message) -> None:
        """An event: to every client that subscribes to it and may see it."""
        for client in self._subscribers.wanting(msg.topic or ""):
            if client.creds.may_see(msg):
                client.send(msg)

    def subscribe(self, prefix: str, client: Client) -> None:
        """``client`` wants the events under ``prefix``."""
        self._subscribers.add(prefix, client)
        self._upstream.add(prefix)

    def unsubscribe(self, prefix: str, client: Client) -> None:
        """``client`` wants them no more."""
        self._subscribers.remove(prefix, client)
        self._upstream.remove(prefix)

    def request(self, msg: Message) -> bool:
        """A request for a service of a client; False if there is none."""
        client = self.services.get((msg.topic or "").partition(".")[0])
        if client is None:
            return False
        client.serve(msg)
        return True
