"""Where a message goes next: the heart of a broker (CONTRACTS A10-A13, A17).

A broker has links (a module each, known by its uuid), services (a name each, served by a link),
its own handle (for the services that are part of the broker itself) and the overlay. The router
has no IO and no clock: a message that comes in is handed to a link, to the handle or to the
overlay before the call returns.
"""

import errno
from collections import deque
from typing import Protocol

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.subscribers import Subscribers
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response


class Link(Protocol):
    """Somewhere that messages can be delivered to."""

    def deliver(self, msg: Message) -> None:
        """Take ``msg``; never raises."""


class Uplink(Protocol):
    """The overlay as the router sees it."""

    def forward_request(self, msg: Message) -> None:
        """Send a request towards its rank, or up if it has none.

        :raises OSError: EHOSTUNREACH if there is no way
        """

    def forward_response(self, msg: Message) -> None:
        """Send a response to the peer on top of its route stack; dropped if that is gone."""

    def forward_event(self, msg: Message) -> None:
        """Send an unpublished event up."""

    def broadcast(self, msg: Message) -> None:
        """Send a published event down to every child."""


class Router:
    """Routes requests, responses and events of one broker."""

    def __init__(self, rank: int, uuid: str, userid: int) -> None:
        self.rank = rank
        self.uuid = uuid
        self.userid = userid
        self.overlay: Uplink | None = None
        #: The broker's own handle: takes responses without a route left.
        self.own: Link | None = None
        #: Who is given which events.
        self.subscribers: Subscribers[Link] = Subscribers()
        self._links: dict[str, Link] = {}
        #: The order in which links are given an event: that in which they came.
        self._places: dict[Link, int] = {}
        self._next_place = 0
        self._events: deque[Message] = deque()
        self._delivering = False
        self._services: dict[str, Link] = {}
        self._next_seq = 1

    # -- links and services ----------------------------------------------------------------

    def add_link(self, uuid: str, link: Link) -> None:
        """Let ``link`` be reached by responses to ``uuid``."""
        self._links[uuid] = link
        self._places[link] = self._next_place
        self._next_place += 1

    def remove_link(self, uuid: str) -> None:
        """Forget a link, what it subscribes to and every service it serves."""
        link = self._links.pop(uuid, None)
        if link is not None:
            self.subscribers.drop(link)
            del self._places[link]
        for name in [name for name, server in self._services.items() if server is link]:
            del self._services[name]

    def add_service(self, name: str, link: Link) -> None:
        """Let ``link`` serve ``name`` (CONTRACTS A9).

        :raises OSError: EEXIST if it is served, EINVAL if it holds a dot
        """
        if not name or "." in name:
            raise rpc_error(errno.EINVAL)
        if name in self._services:
            raise rpc_error(errno.EEXIST)
        self._services[name] = link

    def remove_service(self, name: str, link: Link) -> None:
        """Let ``link`` serve ``name`` no more.

        :raises FileNotFoundError: it does not
        """
        if self._services.get(name) is not link:
            raise rpc_error(errno.ENOENT)
        del self._services[name]

    def services_of(self, link: Link) -> list[str]:
        """The names that ``link`` serves."""
        return [name for name, server in self._services.items() if server is link]

    def has_service(self, name: str) -> bool:
        """True if something here serves ``name``."""
        return name in self._services

    # -- requests --------------------------------------------------------------------------

    def request(self, msg: Message) -> None:
        """Route a request; where it cannot go, its sender gets the error."""
        try:
            self._request(msg)
        except OSError as exc:
            self.reject(msg, exc.errno or errno.EINVAL, exc.strerror)

    def _request(self, msg: Message) -> None:
        nodeid = msg.aux1
        if msg.flags & c.UPSTREAM:
            if nodeid == self.rank:
                self._forward(msg)
                return
        elif nodeid not in (c.NODEID_ANY, self.rank):
            self._forward(msg)
            return
        if msg.topic is None:
            raise rpc_error(errno.EPROTO)
        service = self._services.get(msg.topic.partition(".")[0])
        if service is not None:
            service.deliver(msg)
        elif nodeid == self.rank or self.rank == 0:
            raise rpc_error(errno.ENOSYS, f"No service matching {msg.topic} is registered")
        else:
            self._forward(msg)

    def _forward(self, msg: Message) -> None:
        if self.overlay is None:
            raise rpc_error(errno.EHOSTUNREACH)
        self.overlay.forward_request(msg)

    def reject(self, msg: Message, errnum: int, text: str | None = None) -> None:
        """Answer a request with an error in the broker's own name."""
        if not msg.flags & c.NORESPONSE:
            creds = {"userid": self.userid, "rolemask": c.ROLE_OWNER | c.ROLE_LOCAL}
            self.response(error_response(msg, errnum, text, **creds))

    # -- responses -------------------------------------------------------------------------

    def response(self, msg: Message) -> None:
        """Route a response by the top of its route stack."""
        if not msg.routes:
            if self.own is not None:
                self.own.deliver(msg)
            return
        link = self._links.get(msg.routes[-1])
        if link is not None:
            msg.routes = msg.routes[:-1]  # a response is made for its way back and is no one's
            link.deliver(msg)
        elif self.overlay is not None:
            self.overlay.forward_response(msg)

    # -- events ----------------------------------------------------------------------------

    def event(self, msg: Message) -> None:
        """Take an unpublished event of this broker or one below: publish it or send it up."""
        if self.rank == 0:
            self.publish(msg)
        elif self.overlay is not None:
            self.overlay.forward_event(msg)

    def publish(self, msg: Message) -> int:
        """Give an event its sequence number and send it to every subscriber; the number.

        Local subscribers have it before this returns (CONTRACTS A17). Rank 0 only.
        """
        seq = self._next_seq
        self._next_seq += 1
        published = msg.with_seq(seq)
        self.deliver_event(published)
        return seq

    def deliver_event(self, msg: Message) -> None:
        """Give a published event to the subscribers here and to the brokers below.

        What one of them publishes at once comes after it for all of them.
        """
        self._events.append(msg)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._events:
                self._deliver_next(self._events.popleft())
        finally:
            self._delivering = False

    def _deliver_next(self, msg: Message) -> None:
        for link in sorted(self.subscribers.wanting(msg.topic or ""), key=self._place):
            link.deliver(msg)
        if self.overlay is not None:
            self.overlay.broadcast(msg)

    def _place(self, link: Link) -> int:
        return self._places.get(link, self._next_place)  # the broker's own handle is the last
