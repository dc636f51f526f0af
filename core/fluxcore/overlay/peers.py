"""A broker's neighbours in the tree, without IO.

Theory of operation: the shell tells :class:`Peers` what has arrived from whom and gives it a
clock; Peers calls back to send, to hand messages to the router, to post events to the state
machine and to tell that a child's status has changed. A child begins offline, says
``overlay.hello`` and is online from then on; it ends with ``overlay.goodbye`` (offline) or without
(lost). A message from anyone else is answered with a DISCONNECT control message.

Every hop pushes the sender's uuid on a request, so that the top of a response's route stack names
the neighbour it goes to next. The LOCAL role ends at each hop (RFC 12).
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_DEBUG, LOG_ERR
from fluxcore.handle.tracker import RpcTracker
from fluxcore.overlay.health import Status, subtree_status
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, Payload, control, error_response, request, response
from fluxcore.wire.payload import need_int, need_str, opt_str

#: Kinds of control message (CONTRACTS A18).
HEARTBEAT: Final = 0
STATUS: Final = 1
DISCONNECT: Final = 2

_HELLO: Final = "overlay.hello"
_GOODBYE: Final = "overlay.goodbye"


class PeersShell(Protocol):
    """What carries out what :class:`Peers` decides."""

    def send_parent(self, msg: Message) -> None:
        """Send to the parent."""

    def send_child(self, uuid: str, msg: Message) -> None:
        """Send to a child.

        :raises OSError: EHOSTUNREACH if it is not connected
        """

    def receive(self, msg: Message) -> None:
        """Give a request or response to this broker's router."""

    def receive_unpublished(self, msg: Message) -> None:
        """Give an event from below to this broker's router, to publish or send up."""

    def receive_published(self, msg: Message) -> None:
        """Give an event from above to this broker's router, for subscribers here and below."""

    def post(self, event: str) -> None:
        """Post to the state machine."""

    def log(self, level: int, text: str) -> None:
        """Write to the broker's log."""

    def changed(self, rank: int | None) -> None:
        """A child's status or torpidity has changed (None: our own status)."""


@dataclass(slots=True)
class Child:
    """A child and what is known of it. Times are of the clock given to Peers."""

    rank: int
    since: float
    status: Status = Status.OFFLINE
    uuid: str = ""
    last_seen: float = 0.0
    last_sent: float = 0.0
    torpid: bool = False
    error: str = ""
    tracker: RpcTracker = field(default_factory=RpcTracker)


@dataclass(slots=True)
class Parent:
    """The parent and what is known of it."""

    rank: int
    uuid: str = ""
    last_sent: float = 0.0
    lost: bool = False
    tracker: RpcTracker = field(default_factory=RpcTracker)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the tree. ``version`` is compared by major and minor number."""

    rank: int
    uuid: str
    userid: int
    version: int
    hosts: Callable[[int], str]


class Peers:
    """The neighbours of one broker."""

    def __init__(
        self,
        identity: Identity,
        topology: Topology,
        shell: PeersShell,
        clock: Callable[[], float],
        *,
        torpid_min: float = 5.0,
        torpid_max: float = 30.0,
    ) -> None:
        self.me = identity
        self.topology = topology
        self.torpid_min = torpid_min
        self.torpid_max = torpid_max
        self._shell = shell
        self._clock = clock
        now = clock()
        self.children = {rank: Child(rank, now) for rank in topology.children(identity.rank)}
        self._online: dict[str, Child] = {}
        above = topology.parent(identity.rank)
        self.parent = None if above is None else Parent(above)
        self.status = Status.PARTIAL if self.children else Status.FULL
        self.since = now
        #: No child may join any more: the broker is on its way out.
        self.spurn = False
        self._shutting_down = False
        self._event_seq = 0

    # -- what the router sends -------------------------------------------------------------

    def forward_request(self, msg: Message) -> None:
        """Send a request towards its rank, or up if it has none.

        :raises OSError: EHOSTUNREACH if there is no way
        """
        up = bool(msg.flags & c.UPSTREAM) and msg.nodeid == self.me.rank
        next_rank = None if up else self.topology.route(self.me.rank, msg.nodeid)
        if next_rank is not None:
            child = self.children[next_rank]
            self._send_child(child, msg)
            child.tracker.sent(msg)
        elif self.parent is None or self.parent.lost or not self.parent.uuid:
            raise rpc_error(errno.EHOSTUNREACH)
        else:
            self._send_parent(msg)
            self.parent.tracker.sent(msg)

    def forward_response(self, msg: Message) -> None:
        """Send a response to the neighbour on top of its route stack; dropped if it is gone."""
        assert msg.routes, "a response without a route has arrived"
        top = msg.routes[-1]
        if self.parent is not None and top == self.parent.uuid:
            self._send_parent(msg.popped())
            return
        child = self._online.get(top)
        if child is not None:
            try:
                self._send_child(child, msg.popped())
            except OSError:
                self._shell.log(LOG_DEBUG, f"dropped a response to rank {child.rank}")

    def forward_event(self, msg: Message) -> None:
        """Send an unpublished event up."""
        if self.parent is not None and not self.parent.lost:
            self._send_parent(msg)

    def broadcast(self, msg: Message) -> None:
        """Send a published event to every child that is online."""
        for child in list(self._online.values()):
            try:
                self._send_child(child, msg)
            except OSError:
                self._shell.log(LOG_DEBUG, f"event {msg.seq} not sent to rank {child.rank}")

    # -- what arrives from children --------------------------------------------------------

    def from_child(self, uuid: str, msg: Message) -> None:
        """A message has come from the peer that calls itself ``uuid``."""
        msg.rolemask &= ~c.ROLE_LOCAL
        child = self._online.get(uuid)
        if child is None:
            if msg.type == c.REQUEST and msg.topic == _HELLO and not self.spurn:
                self._hello(uuid, msg)
            else:
                self._control_child(uuid, DISCONNECT)
            return
        child.last_seen = self._clock()
        if msg.type == c.REQUEST:
            if msg.topic == _GOODBYE:
                self._goodbye(child, msg)
            else:
                self._shell.receive(msg.pushed(uuid))
        elif msg.type == c.RESPONSE:
            child.tracker.received(msg)
            self._shell.receive(msg)
        elif msg.type == c.EVENT:
            self._shell.receive_unpublished(msg)
        elif msg.aux1 == STATUS:
            self._set_status(child, Status(msg.aux2) if msg.aux2 < len(Status) else Status.UNKNOWN)

    def _hello(self, uuid: str, msg: Message) -> None:
        try:
            child, status = self._check_hello(uuid, msg)
        except OSError as exc:
            text = exc.strerror
            self._shell.log(LOG_ERR, f"rejecting connection: {text}")
            self._reply(uuid, error_response(msg, exc.errno or errno.EINVAL, text))
            return
        child.uuid = uuid
        child.last_seen = self._clock()
        self._online[uuid] = child
        self._set_status(child, status)
        host = self.me.hosts(child.rank)
        text = f"accepting connection from {host} (rank {child.rank}) status {status.label}"
        self._shell.log(LOG_DEBUG, text)
        self._reply(uuid, response(msg, {"uuid": self.me.uuid}))

    def _check_hello(self, uuid: str, msg: Message) -> tuple[Child, Status]:
        hello = msg.json
        rank, version = need_int(hello, "rank"), need_int(hello, "version")
        number, host = need_int(hello, "status"), opt_str(hello, "hostname")
        if msg.userid != self.me.userid and not msg.rolemask & c.ROLE_OWNER:
            raise rpc_error(errno.EPERM)
        if need_str(hello, "uuid") != uuid or not 0 <= number < len(Status):
            raise PayloadError
        child = self.children.get(rank)
        if child is None:
            text = f"rank {rank} is not a child of rank {self.me.rank}: mismatched config?"
            raise rpc_error(errno.EINVAL, text)
        expected = self.me.hosts(rank)
        if host is not None and host != expected:
            text = f"{expected} is configured as rank {rank}: mismatched config?"
            raise rpc_error(errno.EINVAL, text)
        if child.status.online:
            text = f"{expected} (rank {rank}) reconnected after crash, dropping old connection"
            self._shell.log(LOG_ERR, text)
            self._set_status(child, Status.LOST)
        if version >> 8 != self.me.version >> 8:
            ours, theirs = _dotted(self.me.version), _dotted(version)
            child.error = f"client ({theirs}) version mismatched with server ({ours})"
            raise rpc_error(errno.EINVAL, child.error)
        return child, Status(number)

    def _goodbye(self, child: Child, msg: Message) -> None:
        self._reply(child.uuid, response(msg))
        self._set_status(child, Status.OFFLINE, "administrative shutdown")

    def _reply(self, uuid: str, msg: Message) -> None:
        try:
            self._shell.send_child(uuid, msg)
        except OSError:
            self._shell.log(LOG_DEBUG, f"{msg.topic}: the peer is gone before its answer")

    # -- what arrives from the parent ------------------------------------------------------

    def say_hello(self, hostname: str) -> None:
        """Introduce ourselves to the parent."""
        hello = {
            "rank": self.me.rank,
            "version": self.me.version,
            "uuid": self.me.uuid,
            "status": int(self.status),
            "hostname": hostname,
        }
        self._send_parent(self._request(_HELLO, hello))

    def say_goodbye(self) -> None:
        """Tell the parent that we leave; posts ``goodbye`` when it knows (at once at the root)."""
        if self.parent is None or self.parent.lost or not self.parent.uuid:
            self._shell.post("goodbye")
            return
        self._send_parent(self._request(_GOODBYE))

    def _request(self, topic: str, payload: Payload = None) -> Message:
        owner = self.me.userid
        return request(topic, payload, matchtag=1, userid=owner, rolemask=c.ROLE_OWNER)

    def from_parent(self, msg: Message) -> None:
        """A message has come from the parent."""
        parent = self.parent
        assert parent is not None, "the root has no parent"
        msg.rolemask &= ~c.ROLE_LOCAL
        if msg.type == c.RESPONSE:
            if msg.topic == _HELLO and not msg.routes:
                self._hello_answered(parent, msg)
            elif msg.topic == _GOODBYE and not msg.routes:
                self._shell.post("goodbye")
            else:
                parent.tracker.received(msg)
                self._shell.receive(msg)
        elif msg.type == c.CONTROL:
            if msg.aux1 == DISCONNECT:
                host = self.me.hosts(parent.rank)
                self._shell.log(LOG_CRIT, f"{host} (rank {parent.rank}) sent disconnect")
                self.parent_lost()
        elif not parent.uuid:
            self._shell.log(LOG_ERR, f"dropped {msg.topic}: the parent has not said hello")
        elif msg.type == c.REQUEST:
            self._shell.receive(msg.pushed(parent.uuid))
        else:
            self._check_sequence(msg.seq)
            self._shell.receive_published(msg)

    def _hello_answered(self, parent: Parent, msg: Message) -> None:
        if msg.errnum:
            self._shell.log(LOG_ERR, f"{_HELLO}: {msg.text or errno.errorcode.get(msg.errnum)}")
            self.parent_lost()
            return
        parent.uuid = need_str(msg.json, "uuid")
        self._shell.log(LOG_DEBUG, f"hello parent {parent.rank} {parent.uuid}")
        self._shell.post("parent-hello")

    def _check_sequence(self, seq: int) -> None:
        missing = seq - self._event_seq - 1
        if self._event_seq and missing > 0:
            first, last = self._event_seq + 1, seq - 1
            which = f"event {first}" if missing == 1 else f"events {first}-{last}"
            self._shell.log(LOG_ERR, f"lost {which}")
        self._event_seq = seq

    # -- loss ------------------------------------------------------------------------------

    def parent_lost(self) -> None:
        """The parent is gone: requests that went there fail, and the state machine is told."""
        parent = self.parent
        if parent is None or parent.lost:
            return
        parent.lost = True
        self._fail(parent.tracker, "overlay disconnect")
        self._shell.changed(None)
        self._shell.post("parent-lost")

    def child_lost(self, rank: int, reason: str = "lost connection") -> None:
        """A child is gone without a goodbye."""
        child = self.children[rank]
        if not child.status.online:
            return
        below = self.topology.descendants(rank)
        severed = f" and severed contact with {below} other nodes" if below else ""
        self._shell.log(LOG_ERR, f"{self.me.hosts(rank)} (rank {rank}) failed{severed}")
        self._set_status(child, Status.LOST, reason)

    def disconnect_child(self, rank: int) -> None:
        """Force a child out (overlay.disconnect-subtree).

        :raises OSError: ENOENT if it is no child, EINVAL "rank N is already lost"
        """
        child = self.children.get(rank)
        if child is None:
            text = "requested rank is not this broker's direct child"
            raise rpc_error(errno.ENOENT, text)
        if not child.status.online:
            raise rpc_error(errno.EINVAL, f"rank {rank} is already {child.status.label}")
        self._control_child(child.uuid, DISCONNECT)
        self._set_status(child, Status.LOST, "administrative disconnect")

    def _set_status(self, child: Child, status: Status, reason: str = "") -> None:
        was_online = child.status.online
        child.error = reason
        if child.status is not status:
            child.status = status
            child.since = self._clock()
        if was_online and not status.online:
            child.torpid = False
            self._online.pop(child.uuid, None)
            self._fail(child.tracker)
        self._update()
        self._shell.changed(child.rank)
        self._check_children()

    def _update(self) -> None:
        status = subtree_status(child.status for child in self.children.values())
        if status is self.status:
            return
        self.status = status
        self.since = self._clock()
        if self.parent is not None and self.parent.uuid and not self.parent.lost:
            self._send_parent(control(STATUS, int(status)))
        self._shell.changed(None)

    def _fail(self, tracker: RpcTracker, text: str | None = None) -> None:
        owner = self.me.userid
        for req in tracker.purge():
            self._shell.receive(
                error_response(req, errno.EHOSTUNREACH, text, userid=owner, rolemask=c.ROLE_OWNER)
            )

    # -- time and state --------------------------------------------------------------------

    def tick(self) -> None:
        """To be called every few seconds: keeps quiet links alive, finds torpid children."""
        now = self._clock()
        parent = self.parent
        quiet = parent is not None and now - parent.last_sent > self.torpid_min
        if quiet and parent is not None and parent.uuid and not parent.lost:
            self._send_parent(control(HEARTBEAT))
        for child in list(self._online.values()):
            if now - child.last_sent > self.torpid_min:
                self._control_child(child.uuid, HEARTBEAT)
            self._check_torpid(child, now - child.last_seen)

    def _check_torpid(self, child: Child, silent: float) -> None:
        torpid = child.status.online and 0 < self.torpid_max <= silent
        if torpid is child.torpid:
            return
        child.torpid = torpid
        host = f"broker on {self.me.hosts(child.rank)} (rank {child.rank})"
        how = f"has been unresponsive for {silent:.0f}s" if torpid else "is responsive now"
        self._shell.log(LOG_ERR, f"{host} {how}")
        self._shell.changed(child.rank)

    def stop_joining(self) -> None:
        """Let no child join any more."""
        self.spurn = True

    def shut_down(self) -> None:
        """Wait for the children to leave; posts ``children-complete``, or ``children-none``."""
        self.spurn = True
        self._shutting_down = True
        if not self._online:
            self._shell.post("children-none")

    def _check_children(self) -> None:
        if self._shutting_down and not self._online:
            self._shell.post("children-complete")

    @property
    def online_count(self) -> int:
        """How many children are online."""
        return len(self._online)

    # -- sending ---------------------------------------------------------------------------

    def _send_parent(self, msg: Message) -> None:
        assert self.parent is not None
        self.parent.last_sent = self._clock()
        self._shell.send_parent(msg)

    def _send_child(self, child: Child, msg: Message) -> None:
        if not child.status.online:
            raise rpc_error(errno.EHOSTUNREACH)
        child.last_sent = self._clock()
        try:
            self._shell.send_child(child.uuid, msg)
        except OSError:
            self.child_lost(child.rank)
            raise rpc_error(errno.EHOSTUNREACH) from None

    def _control_child(self, uuid: str, kind: int) -> None:
        child = self._online.get(uuid)
        try:
            if child is not None:
                self._send_child(child, control(kind))
            else:
                self._shell.send_child(uuid, control(kind))
        except OSError:
            self._shell.log(LOG_DEBUG, "control message to a peer that is gone")

    def health(self) -> dict[str, Any]:
        """What overlay.health answers."""
        now = self._clock()
        children = []
        for child in self.children.values():
            entry: dict[str, Any] = {
                "rank": child.rank,
                "status": child.status.label,
                "duration": now - child.since,
            }
            if child.error and not child.status.online:
                entry["error"] = child.error
            children.append(entry)
        return {
            "rank": self.me.rank,
            "status": self.status.label,
            "duration": now - self.since,
            "children": children,
        }


def _dotted(version: int) -> str:
    return f"{version >> 16 & 0xFF}.{version >> 8 & 0xFF}.{version & 0xFF}"
