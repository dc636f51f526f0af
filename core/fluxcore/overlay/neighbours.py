"""What the parts of :mod:`~fluxcore.overlay.peers` share: who we are, and what carries us out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, Payload, request

#: Kinds of control message (CONTRACTS A18).
HEARTBEAT: Final = 0
STATUS: Final = 1
DISCONNECT: Final = 2

HELLO: Final = "overlay.hello"
GOODBYE: Final = "overlay.goodbye"


class PeersShell(Protocol):
    """What carries out what :class:`~fluxcore.overlay.peers.Peers` decides."""

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


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the tree. ``version`` is compared by major and minor number."""

    rank: int
    uuid: str
    userid: int
    version: int
    hosts: Callable[[int], str]

    def request(self, topic: str, payload: Payload = None) -> Message:
        """A request of the overlay's own, to a neighbour."""
        return request(topic, payload, matchtag=1, userid=self.userid, rolemask=c.ROLE_OWNER)
