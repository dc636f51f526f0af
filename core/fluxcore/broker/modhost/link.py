"""A module as its broker sees it: a link that messages go to and come from."""

import asyncio
import errno
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from fluxcore.broker.router import Router
from fluxcore.handle.disconnects import Disconnects
from fluxcore.handle.runner import ModuleState
from fluxcore.handle.tracker import RpcTracker
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a module is told when it starts (RFC 5)."""

    name: str
    uuid: str
    args: list[str]
    attrs: dict[str, str]
    conf: dict[str, Any]


@dataclass(slots=True)
class ModuleExit:
    """How a module ended."""

    errnum: int = 0
    text: str | None = None


@dataclass(slots=True)
class Gate:
    """What the broker lets through: client requests only once it is online (CONTRACTS A19)."""

    online: bool = False
    early: frozenset[str] = field(
        default=frozenset({"state-machine.wait", "state-machine.get", "attr.get", "log.dmesg"})
    )

    def admits(self, msg: Message) -> bool:
        """True if a client's request may be routed now."""
        return self.online or msg.topic in self.early


#: What is looked at for every message: to find a member in an enumeration takes long.
_EXITED: Final = ModuleState.EXITED

OFFLINE_TEXT = "Upstream Flux broker is offline. Try again later."


class ModuleLink(ABC):
    """One loaded module, whatever its placement.

    Requests and events wait until the module has started; responses do not, for it may need them
    to start. A request that the module has not answered when it ends is answered for it.

    ``idle`` counts from the last message that the module has sent (CONTRACTS A20).
    """

    def __init__(
        self,
        router: Router,
        gate: Gate,
        name: str,
        path: str,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.name = name
        self.path = path
        self.uuid = str(uuid.uuid4())
        self._routes = (self.uuid,)
        self.state = ModuleState.INIT
        self.exit = ModuleExit()
        self.last_sent = 0.0
        self.muted = False
        #: Told of each message, with ``rx`` or ``tx``, while somebody traces the module.
        self.on_message: Callable[[str, Message], None] | None = None
        #: Told when the module has ended without saying so.
        self.on_end: Callable[[], None] | None = None
        #: Done when nothing of it runs any more: no task, no thread, no process.
        self.over: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._early: list[Message] | None = []
        self._deferred: list[Message] | None = None
        self._rpcs = RpcTracker()
        self._router = router
        self._gate = gate
        self._disconnects = Disconnects()

    # -- what a placement does ------------------------------------------------------------

    @abstractmethod
    def start(self, welcome: Welcome) -> None:
        """Let the module begin its life.

        :raises OSError: it cannot even begin
        """

    @abstractmethod
    def kill(self) -> None:
        """End a module that does not end by itself."""

    @abstractmethod
    def _push(self, msg: Message) -> None:
        """Hand ``msg`` to the module."""

    @property
    @abstractmethod
    def receive_queue(self) -> int:
        """Messages on their way to the module."""

    @property
    @abstractmethod
    def send_queue(self) -> int:
        """Messages on their way from the module."""

    # -- to the module ---------------------------------------------------------------------

    def deliver(self, msg: Message) -> None:
        """Hand ``msg`` to the module; once it is muted, only what it still waits for."""
        if self.muted and msg.type != c.RESPONSE:
            if msg.type == c.REQUEST:
                self._router.reject(msg, errno.ENOSYS)
            return
        if self._deferred is not None:
            self._deferred.append(msg)
        elif self._early is not None and self._waits_for_start(msg):
            self._early.append(msg)
        else:
            if self.on_message is not None:
                self.on_message("rx", msg)
            if msg.type == c.REQUEST:
                self._rpcs.sent(msg)
            self._push(msg)

    def _waits_for_start(self, msg: Message) -> bool:
        return msg.type != c.RESPONSE and msg.topic != f"{self.name}.shutdown"

    def started(self) -> None:
        """The module runs: hand it what has waited for that."""
        early, self._early = self._early, None
        for msg in early or ():
            self.deliver(msg)

    def defer(self, hold: bool) -> None:
        """Hold messages to the module back, or let those held back through."""
        if hold:
            self._deferred = self._deferred or []
            return
        deferred, self._deferred = self._deferred, None
        for msg in deferred or ():
            self.deliver(msg)

    def _is_over(self, why: ModuleExit) -> None:
        """Nothing runs any more: so the module has ended, if need be with ``why``."""
        self.over.set_result(None)
        if self.state is not ModuleState.EXITED and self.on_end is not None:
            self.exit = why
            self.on_end()

    # -- from the module -------------------------------------------------------------------

    def sent(self, msg: Message) -> None:
        """Route what the module has sent, first giving it the owner's credentials if it has none.

        That and its first hop are part of sending: the module has just made the message and does
        not keep it. What it passes on for others stays as it is.
        """
        if self.state is _EXITED:
            return
        self.last_sent = time.time()
        if msg.userid == c.USERID_UNKNOWN:
            msg.userid = self._router.userid
        if msg.rolemask == c.ROLE_NONE:
            msg.rolemask = c.ROLE_OWNER | c.ROLE_LOCAL
        if self.on_message is not None:
            self.on_message("tx", msg)
        if msg.type == c.REQUEST:
            self._sent_request(msg)
        elif msg.type == c.RESPONSE:
            self._rpcs.received(msg)
            self._router.response(msg)
        elif msg.type == c.EVENT:
            self._router.event(msg)

    def _sent_request(self, msg: Message) -> None:
        if msg.routes:
            msg = msg.pushed(self.uuid)
            if not self._gate.admits(msg):
                self._router.reject(msg, errno.EAGAIN, OFFLINE_TEXT)
                return
        else:
            msg.routes = self._routes
            self._disconnects.arm(msg)
        self._router.request(msg)

    def ended(self) -> None:
        """The module is gone: its clients and the services that it has used are told (A7, A27)."""
        waiting, self._early, self._deferred = (
            [*(self._early or ()), *(self._deferred or ())],
            None,
            None,
        )
        for msg in waiting:
            if msg.type == c.REQUEST:
                self._router.reject(msg, errno.ENOSYS)
        for req in self._rpcs.purge():
            self._router.reject(req, errno.EHOSTUNREACH, "module disconnect")
        self._disconnects.fire(self._router.request)

    @property
    def held_back(self) -> int:
        """Messages that wait for the module to start, or to be deferred no more."""
        return len(self._early or ()) + len(self._deferred or ())

    def describe(self) -> dict[str, Any]:
        """The module's entry in module.list."""
        idle = int(time.time() - self.last_sent) if self.last_sent else 0
        return {
            "name": self.name,
            "path": self.path,
            "idle": idle,
            "status": int(self.state),
            "services": sorted(self._router.services_of(self)),
            "sendqueue": self.send_queue,
            "recvqueue": self.receive_queue + self.held_back,
        }
