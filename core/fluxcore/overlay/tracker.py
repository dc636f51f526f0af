"""Requests that went through a peer and have not been answered (CONTRACTS B6)."""

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message

_Key = tuple[tuple[str, ...], int]


class RpcTracker:
    """Remembers the requests sent to one peer until their last response has come.

    A request is known by its route stack as this broker sent it and its matchtag, which the
    response brings back unchanged.
    """

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests: dict[_Key, Message] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def sent(self, req: Message) -> None:
        """A request went to the peer."""
        if req.matchtag and not req.flags & c.NORESPONSE:
            self._requests[req.routes or (), req.matchtag] = req
        elif req.topic is not None and req.topic.endswith("disconnect"):
            self._forget_sender(req)

    def received(self, rsp: Message) -> None:
        """A response came from the peer (its route stack as the peer's hop left it)."""
        if rsp.aux1 or not rsp.flags & c.STREAMING:
            self._requests.pop((rsp.routes or (), rsp.matchtag), None)

    def _forget_sender(self, disconnect: Message) -> None:
        """A client's disconnect went to the peer: its streams there get no last response."""
        service = (disconnect.topic or "").removesuffix("disconnect")
        for key, req in list(self._requests.items()):
            if req.routes == disconnect.routes and (req.topic or "").startswith(service):
                del self._requests[key]

    def purge(self) -> list[Message]:
        """Forget and return all: the peer is gone."""
        requests = list(self._requests.values())
        self._requests.clear()
        return requests
