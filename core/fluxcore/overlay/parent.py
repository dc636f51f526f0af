"""The parent of a broker, without IO: hello, goodbye and loss (CONTRACTS B3-B6)."""

import errno
from collections.abc import Callable

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_DEBUG, LOG_ERR
from fluxcore.handle.tracker import RpcTracker
from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import (
    DISCONNECT,
    GOODBYE,
    HEARTBEAT,
    HELLO,
    STATUS,
    Identity,
    PeersShell,
)
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, control, error_response
from fluxcore.wire.payload import need_str


class Parent:
    """The parent and what is known of it.

    ``uuid`` is empty until it has answered our hello. Once it is lost, or has let us go, nothing
    is sent to it and nothing that comes from it counts any more.
    """

    def __init__(
        self, me: Identity, rank: int, shell: PeersShell, clock: Callable[[], float]
    ) -> None:
        self.me = me
        self.rank = rank
        self.uuid = ""
        self.lost = False
        self.tracker = RpcTracker()
        self._shell = shell
        self._clock = clock
        self._last_sent = 0.0
        self._leaving = False
        self._event_seq = 0

    @property
    def connected(self) -> bool:
        """True between the parent's answer to our hello and the end."""
        return bool(self.uuid) and not self.lost

    # -- sending ---------------------------------------------------------------------------

    def send(self, msg: Message) -> None:
        """Send ``msg``; after the end it goes nowhere."""
        if not self.lost:
            self._last_sent = self._clock()
            self._shell.send_parent(msg)

    def forward(self, msg: Message) -> None:
        """Send a request on, and remember it until it is answered.

        :raises OSError: EHOSTUNREACH: there is no connection
        """
        if not self.connected:
            raise rpc_error(errno.EHOSTUNREACH)
        self.send(msg)
        self.tracker.sent(msg)

    def tell_status(self, status: Status) -> None:
        """Tell how we and all below us fare, once the parent knows us at all."""
        if self.connected:
            self.send(control(STATUS, int(status)))

    def say_hello(self, hostname: str, status: Status) -> None:
        """Introduce ourselves."""
        hello = {
            "rank": self.me.rank,
            "version": self.me.version,
            "uuid": self.me.uuid,
            "status": int(status),
            "hostname": hostname,
        }
        self.send(self.me.request(HELLO, hello))

    def say_goodbye(self) -> None:
        """Say that we leave; posts ``goodbye`` when the parent knows, or is gone itself."""
        if self.connected:
            self._leaving = True
            self.send(self.me.request(GOODBYE))
        else:
            self._shell.post("goodbye")

    def keep_alive(self, quiet_for: float) -> None:
        """Let the parent hear of us if nothing was sent for ``quiet_for`` seconds."""
        if self.connected and self._clock() - self._last_sent > quiet_for:
            self.send(control(HEARTBEAT))

    # -- receiving -------------------------------------------------------------------------

    def receive(self, msg: Message) -> None:
        """A message has come from the parent."""
        if self.lost:
            return
        msg.rolemask &= ~c.ROLE_LOCAL
        if msg.type == c.RESPONSE:
            self._receive_response(msg)
        elif msg.type == c.CONTROL:
            if msg.aux1 == DISCONNECT:
                host = self.me.hosts(self.rank)
                self._shell.log(LOG_CRIT, f"{host} (rank {self.rank}) sent disconnect")
                self.gone()
        elif not self.uuid:
            self._shell.log(LOG_ERR, f"dropped {msg.topic}: the parent has not said hello")
        elif msg.type == c.REQUEST:
            self._shell.receive(msg.pushed(self.uuid))
        else:
            self._check_sequence(msg.seq)
            self._shell.receive_published(msg)

    def _receive_response(self, msg: Message) -> None:
        if msg.topic == HELLO and not msg.routes:
            self._hello_answered(msg)
        elif msg.topic == GOODBYE and not msg.routes:
            self._let_go()
        elif self.tracker.received(msg) or not msg.matchtag:
            self._shell.receive(msg)

    def _hello_answered(self, msg: Message) -> None:
        if msg.errnum:
            self._shell.log(LOG_ERR, f"{HELLO}: {msg.text or errno.errorcode.get(msg.errnum)}")
            self.gone()
            return
        try:
            self.uuid = need_str(msg.json, "uuid")
        except PayloadError:
            self._shell.log(LOG_ERR, f"{HELLO}: the answer makes no sense")
            self.gone()
            return
        self._shell.log(LOG_DEBUG, f"hello parent {self.rank} {self.uuid}")
        self._shell.post("parent-hello")

    def _check_sequence(self, seq: int) -> None:
        missing = seq - self._event_seq - 1
        if self._event_seq and missing > 0:
            first, last = self._event_seq + 1, seq - 1
            which = f"event {first}" if missing == 1 else f"events {first}-{last}"
            self._shell.log(LOG_ERR, f"lost {which}")
        self._event_seq = seq

    # -- the end ---------------------------------------------------------------------------

    def gone(self) -> None:
        """The parent is gone: requests that went there fail, and the state machine is told."""
        if self.lost:
            return
        self._end()
        self._shell.changed(None)
        self._shell.post("parent-lost")
        if self._leaving:
            self._shell.post("goodbye")

    def _let_go(self) -> None:
        """The parent knows that we leave: as far as we are concerned it is gone too."""
        if self._leaving and not self.lost:
            self._end()
            self._shell.post("goodbye")

    def _end(self) -> None:
        self.lost = True
        for req in self.tracker.purge():
            self._shell.receive(
                error_response(
                    req,
                    errno.EHOSTUNREACH,
                    "overlay disconnect",
                    userid=self.me.userid,
                    rolemask=c.ROLE_OWNER,
                )
            )
