"""Disconnect requests: telling services that a client of theirs is gone (CONTRACTS A7)."""

from collections.abc import Callable
from typing import Final

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message

#: Topics remembered as seen before the memory is started anew; users may make topics up.
_MEMORY: Final = 256


class Disconnects:
    """What to send when a client goes: one request to each service and rank it has used.

    The first request to a service is the model: the disconnect goes the same way under the same
    credentials, to its topic with the last word replaced by ``disconnect``.
    """

    __slots__ = ("_armed", "_seen")

    def __init__(self) -> None:
        self._seen: set[tuple[str, int, int]] = set()
        self._armed: dict[tuple[str, int, int], Message] = {}

    def arm(self, req: Message) -> None:
        """Remember that the client has sent ``req`` (with its route stack as sent)."""
        if req.flags & c.NORESPONSE:
            return
        topic, upstream = req.topic or "", req.flags & c.UPSTREAM
        seen = topic, req.aux1, upstream
        if seen in self._seen:
            return
        if len(self._seen) >= _MEMORY:
            self._seen.clear()
        self._seen.add(seen)
        service, dot, _method = topic.rpartition(".")
        key = (service, req.aux1, upstream)
        if key not in self._armed:
            self._armed[key] = Message(
                c.REQUEST,
                f"{service}{dot}disconnect",
                flags=upstream | c.NORESPONSE,
                userid=req.userid,
                rolemask=req.rolemask,
                aux1=req.aux1,
                aux2=req.aux2,
                routes=req.routes,
            )

    def fire(self, send: Callable[[Message], None]) -> None:
        """Send them all, once."""
        armed, self._armed = self._armed, {}
        self._seen.clear()
        for msg in armed.values():
            send(msg)
