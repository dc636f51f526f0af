"""Disconnect requests: telling services that a client of theirs is gone (CONTRACTS A7)."""

from collections.abc import Callable

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


class Disconnects:
    """What to send when a client goes: one request to each service and rank it has used.

    The first request to a service is the model: the disconnect goes the same way under the same
    credentials, to its topic with the last word replaced by ``disconnect``.
    """

    __slots__ = ("_armed",)

    def __init__(self) -> None:
        self._armed: dict[tuple[str, int, int], Message] = {}

    def arm(self, req: Message) -> None:
        """Remember that the client has sent ``req`` (with its route stack as sent)."""
        if req.flags & c.NORESPONSE:
            return
        topic = req.topic or ""
        service, dot, _method = topic.rpartition(".")
        key = (service, req.nodeid, req.flags & c.UPSTREAM)
        if key not in self._armed:
            self._armed[key] = Message(
                c.REQUEST,
                f"{service}{dot}disconnect",
                flags=(req.flags & c.UPSTREAM) | c.NORESPONSE,
                userid=req.userid,
                rolemask=req.rolemask,
                aux1=req.nodeid,
                aux2=req.matchtag,
                routes=req.routes,
            )

    def fire(self, send: Callable[[Message], None]) -> None:
        """Send them all, once."""
        armed, self._armed = self._armed, {}
        for msg in armed.values():
            send(msg)
