"""A broker's neighbours in the tree, without IO.

Theory of operation: the shell tells :class:`Peers` what has arrived from whom and gives it a
clock; Peers calls back to send, to hand messages to the router, to post events to the state
machine and to tell that a child's status has changed. A child begins offline, says
``overlay.hello`` and is online from then on; it ends with ``overlay.goodbye`` (offline) or without
(lost). A message from anyone else is answered with a DISCONNECT control message.

Every hop pushes the sender's uuid on a request, so that the top of a response's route stack names
the neighbour it goes to next. Every hop remembers the requests that went through it, and answers
them with EHOSTUNREACH when the neighbour they went to is gone; a response to a request that it
does not remember goes no further. So a request is answered once, whatever is lost on the way. The
LOCAL role ends at each hop (RFC 12).
"""

import errno
from collections.abc import Callable
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.children import Child, Children
from fluxcore.overlay.health import Status, subtree_status
from fluxcore.overlay.neighbours import GOODBYE, HELLO, STATUS, Identity, PeersShell
from fluxcore.overlay.parent import Parent
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


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
        self._children = Children(identity, topology, shell, clock, self._child_changed)
        above = topology.parent(identity.rank)
        self.parent = None if above is None else Parent(identity, above, shell, clock)
        self.status = Status.PARTIAL if self.children else Status.FULL
        self.since = clock()
        #: No child may join any more: the broker is on its way out.
        self.spurn = False
        self._shutting_down = False

    @property
    def children(self) -> dict[int, Child]:
        """The children by rank, online or not."""
        return self._children.by_rank

    @property
    def online_count(self) -> int:
        """How many children are online."""
        return len(self._children)

    # -- what the router sends -------------------------------------------------------------

    def forward_request(self, msg: Message) -> None:
        """Send a request towards its rank, or up if it has none.

        :raises OSError: EHOSTUNREACH if there is no way
        """
        up = bool(msg.flags & c.UPSTREAM) and msg.nodeid == self.me.rank
        next_rank = None if up else self.topology.route(self.me.rank, msg.nodeid)
        if next_rank is not None:
            self._children.forward(self.children[next_rank], msg)
        elif self.parent is not None:
            self.parent.forward(msg)
        else:
            raise rpc_error(errno.EHOSTUNREACH)

    def forward_response(self, msg: Message) -> None:
        """Send a response to the neighbour on top of its route stack; dropped if it is gone."""
        assert msg.routes, "a response without a route has arrived"
        top = msg.routes[-1]
        if self.parent is not None and top == self.parent.uuid:
            self.parent.send(msg.popped())
            return
        child = self._children.online(top)
        if child is not None:
            self._children.send_or_drop(child, msg.popped(), "response")

    def forward_event(self, msg: Message) -> None:
        """Send an unpublished event up."""
        if self.parent is not None and self.parent.connected:
            self.parent.send(msg)

    def broadcast(self, msg: Message) -> None:
        """Send a published event to every child that is online."""
        for child in self._children:
            self._children.send_or_drop(child, msg, f"event {msg.seq}")

    # -- what arrives ----------------------------------------------------------------------

    def from_child(self, uuid: str, msg: Message) -> None:
        """A message has come from the peer that calls itself ``uuid``."""
        msg.rolemask &= ~c.ROLE_LOCAL
        child = self._children.online(uuid)
        if child is None:
            if msg.type == c.REQUEST and msg.topic == HELLO and not self.spurn:
                self._children.hello(uuid, msg)
            else:
                self._children.turn_away(uuid)
            return
        child.last_seen = self._clock()
        if msg.type == c.REQUEST:
            # With a route it is not the child that speaks, but a client of its broker.
            if msg.topic == GOODBYE and not msg.routes:
                self._children.goodbye(child, msg)
            else:
                self._shell.receive(msg.pushed(uuid))
        elif msg.type == c.RESPONSE:
            if child.tracker.received(msg) or not msg.matchtag:
                self._shell.receive(msg)
        elif msg.type == c.EVENT:
            self._shell.receive_unpublished(msg)
        elif msg.aux1 == STATUS:
            self._children.told_status(child, msg.aux2)

    def from_parent(self, msg: Message) -> None:
        """A message has come from the parent."""
        assert self.parent is not None, "the root has no parent"
        self.parent.receive(msg)

    # -- joining, leaving and loss ---------------------------------------------------------

    def say_hello(self, hostname: str) -> None:
        """Introduce ourselves to the parent."""
        assert self.parent is not None, "the root has no parent"
        self.parent.say_hello(hostname, self.status)

    def say_goodbye(self) -> None:
        """Tell the parent that we leave; posts ``goodbye`` when it knows (at once at the root)."""
        if self.parent is None:
            self._shell.post("goodbye")
        else:
            self.parent.say_goodbye()

    def parent_lost(self) -> None:
        """The parent is gone."""
        if self.parent is not None:
            self.parent.gone()

    def disconnect_child(self, rank: int) -> None:
        """Force a child out (overlay.disconnect-subtree).

        :raises OSError: ENOENT if it is no child, EINVAL "rank N is already lost"
        """
        self._children.disconnect(rank)

    def stop_joining(self) -> None:
        """Let no child join any more."""
        self.spurn = True

    def shut_down(self) -> None:
        """Wait for the children to leave; posts ``children-complete``, or ``children-none``."""
        self.spurn = True
        self._shutting_down = True
        if not self.online_count:
            self._shell.post("children-none")

    def _child_changed(self, child: Child) -> None:
        self._update()
        self._shell.changed(child.rank)
        if self._shutting_down and not self.online_count:
            self._shell.post("children-complete")

    # -- status and time -------------------------------------------------------------------

    def _update(self) -> None:
        status = subtree_status(child.status for child in self.children.values())
        if status is self.status:
            return
        self.status = status
        self.since = self._clock()
        if self.parent is not None:
            self.parent.tell_status(status)
        self._shell.changed(None)

    def tick(self) -> None:
        """To be called every few seconds: keeps quiet links alive, finds torpid children."""
        if self.parent is not None:
            self.parent.keep_alive(self.torpid_min)
        self._children.tick(self.torpid_min, self.torpid_max)

    def validate_state(self) -> None:
        """Check what must always hold (for tests)."""
        self._children.validate_state()
        assert self.status is subtree_status(child.status for child in self.children.values())
        if self.parent is not None and self.parent.lost:
            assert not len(self.parent.tracker), "requests to nobody are remembered"

    def health(self) -> dict[str, Any]:
        """What overlay.health answers."""
        now = self._clock()
        return {
            "rank": self.me.rank,
            "status": self.status.label,
            "duration": now - self.since,
            "children": [child.health(now) for child in self.children.values()],
        }
