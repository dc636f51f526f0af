"""The broker's own end of its router: the handle that its services live on."""

import asyncio

from fluxcore.broker.mailbox import Mailbox
from fluxcore.broker.router import Router
from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


class OwnLink:
    """Delivers to the broker's handle, and routes what it sends.

    It is no module: its requests carry no route, so their answers come straight back.
    """

    def __init__(
        self, router: Router, loop: asyncio.AbstractEventLoop, attrs: dict[str, str]
    ) -> None:
        self._router = router
        self._mailbox = Mailbox(loop)
        self.flux = Flux(self._send, loop=loop, name="broker", uuid=router.uuid, attrs=attrs)
        self._mailbox.receive = self.flux.receive

    def deliver(self, msg: Message) -> None:
        """Give ``msg`` to the broker's handle."""
        self._mailbox.deliver(msg)

    def _send(self, msg: Message) -> None:
        if msg.userid == c.USERID_UNKNOWN:
            msg.userid = self._router.userid
        if msg.rolemask == c.ROLE_NONE:
            msg.rolemask = c.ROLE_OWNER | c.ROLE_LOCAL
        self._mailbox.send(self._route, msg)

    def _route(self, msg: Message) -> None:
        if msg.type == c.REQUEST:
            self._router.request(msg)
        elif msg.type == c.RESPONSE:
            self._router.response(msg)
        elif msg.type == c.EVENT:
            self._router.event(msg)
