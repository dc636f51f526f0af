"""Events and dynamic services of a broker (CONTRACTS A8, A9, A17)."""

import base64
import binascii
import errno

from fluxcore.broker.modhost.host import ModuleHost
from fluxcore.broker.modhost.link import ModuleLink
from fluxcore.broker.router import Link, Router
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, event
from fluxcore.wire.payload import need_int, need_str, opt_str


class EventService(Service):
    """Serves event.publish, event.subscribe and event.unsubscribe."""

    def __init__(self, router: Router, host: ModuleHost) -> None:
        self._router = router
        self._host = host

    @method("event.publish", role=c.ROLE_USER)
    def publish(self, req: Message) -> Reply:
        """``{topic, flags, payload?: base64}`` -> ``{seq}``, after local subscribers have it."""
        topic, flags = need_str(req.json, "topic"), need_int(req.json, "flags")
        encoded = opt_str(req.json, "payload")
        if self._router.rank > 0:
            raise rpc_error(errno.EPROTO, "this service is only available on rank 0")
        if flags & ~c.PRIVATE:
            raise PayloadError
        try:
            payload = None if encoded is None else base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise PayloadError from None
        msg = event(topic, payload, flags=flags, userid=req.userid, rolemask=req.rolemask)
        return {"seq": self._router.publish(msg)}

    @method("event.subscribe")
    def subscribe(self, req: Message) -> Reply:
        """``{topic}``: a module (or the broker) wants the events under that prefix."""
        self._router.subscribers.add(need_str(req.json, "topic"), self._link(req))
        return None

    @method("event.unsubscribe")
    def unsubscribe(self, req: Message) -> Reply:
        """``{topic}``: the reverse; ENOENT if there is no such subscription."""
        self._router.subscribers.remove(need_str(req.json, "topic"), self._link(req))
        return None

    def _link(self, req: Message) -> Link:
        if not req.routes:
            assert self._router.own is not None
            return self._router.own
        return _module_of(self._host, req)


class ServiceService(Service):
    """Serves service.add and service.remove for modules, and connector-local's clients."""

    def __init__(self, router: Router, host: ModuleHost) -> None:
        self._router = router
        self._host = host

    @method("service.add", role=c.ROLE_USER)
    def add(self, req: Message) -> Reply:
        """``{service}``; a guest may only use names that start with ``<userid>-``."""
        name = _allowed_name(req)
        self._router.add_service(name, _module_of(self._host, req))
        return None

    @method("service.remove", role=c.ROLE_USER)
    def remove(self, req: Message) -> Reply:
        """``{service}``; ENOENT if it is not the sender's."""
        name = _allowed_name(req)
        self._router.remove_service(name, _module_of(self._host, req))
        return None


def _allowed_name(req: Message) -> str:
    name = need_str(req.json, "service")
    if not req.rolemask & c.ROLE_OWNER and not name.startswith(f"{req.userid}-"):
        raise rpc_error(errno.EPERM)
    return name


def _module_of(host: ModuleHost, req: Message) -> ModuleLink:
    """The module that sent ``req`` itself or for a client of its own."""
    link = host.by_uuid(req.routes[0]) if req.routes else None
    if link is None:
        raise PayloadError
    return link
