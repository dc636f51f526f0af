"""The children of a broker, without IO: who may join, how they fare, how they go (B3-B7)."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.tracker import RpcTracker
from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import DISCONNECT, HEARTBEAT, Identity, PeersShell
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, control, error_response, response
from fluxcore.wire.payload import need_int, need_str, opt_str


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

    def health(self, now: float) -> dict[str, Any]:
        """The child's entry in overlay.health."""
        entry: dict[str, Any] = {
            "rank": self.rank,
            "status": self.status.label,
            "duration": now - self.since,
        }
        if self.error and not self.status.online:
            entry["error"] = self.error
        return entry


class Children:
    """All children, each by its rank and, while it is online, by its uuid.

    :param changed: told after each change of a child's status
    """

    def __init__(
        self,
        me: Identity,
        topology: Topology,
        shell: PeersShell,
        clock: Callable[[], float],
        changed: Callable[[Child], None],
    ) -> None:
        self._me = me
        self._topology = topology
        self._shell = shell
        self._clock = clock
        self._changed = changed
        now = clock()
        self.by_rank = {rank: Child(rank, now) for rank in topology.children(me.rank)}
        self._online: dict[str, Child] = {}

    def __len__(self) -> int:
        """How many are online."""
        return len(self._online)

    def __iter__(self) -> Iterator[Child]:
        """Those that are online."""
        return iter(list(self._online.values()))

    def online(self, uuid: str) -> Child | None:
        """The child that is online as ``uuid``."""
        return self._online.get(uuid)

    def validate_state(self) -> None:
        """Check what must always hold (for tests)."""
        for uuid, child in self._online.items():
            assert child.uuid == uuid
            assert child.status.online
        for child in self.by_rank.values():
            online = self._online.get(child.uuid) is child
            assert child.status.online is online
            assert online or not len(child.tracker), "requests to nobody are remembered"
            assert online or not child.torpid

    # -- sending ---------------------------------------------------------------------------

    def send(self, child: Child, msg: Message) -> None:
        """Send to a child; one that cannot be reached is lost.

        :raises OSError: EHOSTUNREACH
        """
        if not child.status.online:
            raise rpc_error(errno.EHOSTUNREACH)
        child.last_sent = self._clock()
        try:
            self._shell.send_child(child.uuid, msg)
        except OSError:
            self.lost(child)
            raise rpc_error(errno.EHOSTUNREACH) from None

    def send_or_drop(self, child: Child, msg: Message, what: str) -> None:
        """Send to a child what nobody waits for."""
        try:
            self.send(child, msg)
        except OSError:
            self._shell.log(LOG_DEBUG, f"{what} not sent to rank {child.rank}")

    def forward(self, child: Child, req: Message) -> None:
        """Send a request on, and remember it until it is answered.

        :raises OSError: EHOSTUNREACH
        """
        self.send(child, req)
        child.tracker.sent(req)

    def turn_away(self, uuid: str) -> None:
        """Tell a peer that is no child of ours, or is none any more, to go."""
        self._reply(uuid, control(DISCONNECT))

    def _reply(self, uuid: str, msg: Message) -> None:
        try:
            self._shell.send_child(uuid, msg)
        except OSError:
            self._shell.log(LOG_DEBUG, f"{msg.topic or 'disconnect'}: the peer is gone already")

    # -- joining and leaving ---------------------------------------------------------------

    def hello(self, uuid: str, msg: Message) -> None:
        """A peer that calls itself ``uuid`` wants to join."""
        try:
            child, status = self._check_hello(uuid, msg)
        except OSError as exc:
            text = exc.strerror
            self._shell.log(LOG_ERR, f"rejecting connection: {text}")
            self._reply(uuid, error_response(msg, exc.errno or errno.EINVAL, text))
            return
        child.uuid = uuid
        child.last_seen = self._clock()
        host = self._me.hosts(child.rank)
        text = f"accepting connection from {host} (rank {child.rank}) status {status.label}"
        self._shell.log(LOG_DEBUG, text)
        # The answer goes first: until it has come, the child takes nothing else from us.
        self._reply(uuid, response(msg, {"uuid": self._me.uuid}))
        self._online[uuid] = child
        self.set_status(child, status)

    def _check_hello(self, uuid: str, msg: Message) -> tuple[Child, Status]:
        hello = msg.json
        rank, version = need_int(hello, "rank"), need_int(hello, "version")
        status, host = _online_status(need_int(hello, "status")), opt_str(hello, "hostname")
        if msg.userid != self._me.userid and not msg.rolemask & c.ROLE_OWNER:
            raise rpc_error(errno.EPERM)
        if need_str(hello, "uuid") != uuid or status is None:
            raise PayloadError
        child = self.by_rank.get(rank)
        if child is None:
            text = f"rank {rank} is not a child of rank {self._me.rank}: mismatched config?"
            raise rpc_error(errno.EINVAL, text)
        expected = self._me.hosts(rank)
        if host is not None and host != expected:
            text = f"{expected} is configured as rank {rank}: mismatched config?"
            raise rpc_error(errno.EINVAL, text)
        if child.status.online:
            text = f"{expected} (rank {rank}) reconnected after crash, dropping old connection"
            self._shell.log(LOG_ERR, text)
            self.set_status(child, Status.LOST)
        if version >> 8 != self._me.version >> 8:
            ours, theirs = _dotted(self._me.version), _dotted(version)
            child.error = f"client ({theirs}) version mismatched with server ({ours})"
            raise rpc_error(errno.EINVAL, child.error)
        return child, status

    def goodbye(self, child: Child, msg: Message) -> None:
        """A child leaves."""
        self._reply(child.uuid, response(msg))
        self.set_status(child, Status.OFFLINE, "administrative shutdown")

    def lost(self, child: Child, reason: str = "lost connection") -> None:
        """A child is gone without a goodbye."""
        if not child.status.online:
            return
        below = self._topology.descendants(child.rank)
        severed = f" and severed contact with {below} other nodes" if below else ""
        host = self._me.hosts(child.rank)
        self._shell.log(LOG_ERR, f"{host} (rank {child.rank}) failed{severed}")
        self.set_status(child, Status.LOST, reason)

    def disconnect(self, rank: int) -> None:
        """Force a child out (overlay.disconnect-subtree).

        :raises OSError: ENOENT if it is no child, EINVAL "rank N is already lost"
        """
        child = self.by_rank.get(rank)
        if child is None:
            text = "requested rank is not this broker's direct child"
            raise rpc_error(errno.ENOENT, text)
        if not child.status.online:
            raise rpc_error(errno.EINVAL, f"rank {rank} is already {child.status.label}")
        self.turn_away(child.uuid)
        self.set_status(child, Status.LOST, "administrative disconnect")

    # -- status ----------------------------------------------------------------------------

    def told_status(self, child: Child, number: int) -> None:
        """A child says how it and all below it fare; that it is gone it cannot say so."""
        status = _online_status(number)
        if status is not None:
            self.set_status(child, status)

    def set_status(self, child: Child, status: Status, reason: str = "") -> None:
        """Let ``child`` be in ``status``; with one that is gone, its unanswered requests end."""
        was_online = child.status.online
        child.error = reason
        if child.status is not status:
            child.status = status
            child.since = self._clock()
        if was_online and not status.online:
            child.torpid = False
            self._online.pop(child.uuid, None)
            self._fail(child.tracker)
        self._changed(child)

    def _fail(self, tracker: RpcTracker) -> None:
        me = self._me.userid
        for req in tracker.purge():
            self._shell.receive(
                error_response(req, errno.EHOSTUNREACH, userid=me, rolemask=c.ROLE_OWNER)
            )

    # -- time ------------------------------------------------------------------------------

    def tick(self, torpid_min: float, torpid_max: float) -> None:
        """Let quiet children hear of us, and find those that are not heard of."""
        now = self._clock()
        for child in self:
            if now - child.last_sent > torpid_min:
                self.send_or_drop(child, control(HEARTBEAT), "heartbeat")
            self._check_torpid(child, now - child.last_seen, torpid_max)

    def _check_torpid(self, child: Child, silent: float, torpid_max: float) -> None:
        torpid = child.status.online and 0 < torpid_max <= silent
        if torpid is child.torpid:
            return
        child.torpid = torpid
        host = f"broker on {self._me.hosts(child.rank)} (rank {child.rank})"
        how = f"has been unresponsive for {silent:.0f}s" if torpid else "is responsive now"
        self._shell.log(LOG_ERR, f"{host} {how}")
        self._shell.changed(child.rank)


def _online_status(number: int) -> Status | None:
    """The status of that number, if it is one of a broker that is online."""
    status = Status(number) if 0 <= number < len(Status) else Status.UNKNOWN
    return status if status.online else None


def _dotted(version: int) -> str:
    return f"{version >> 16 & 0xFF}.{version >> 8 & 0xFF}.{version & 0xFF}"
