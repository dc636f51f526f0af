"""Requests that went to somebody who has not answered them yet (CONTRACTS B6, A27)."""

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


class RpcTracker:
    """Remembers the requests sent to one peer until their last response has come.

    A peer is a broker next to us, a module, or a client that serves something; when it goes, who
    still waits for it is told.

    A request is known by its route stack as this broker sent it and its matchtag, which the
    response brings back unchanged.
    """

    __slots__ = ("_count", "_senders")

    def __init__(self) -> None:
        self._senders: dict[tuple[str, ...], dict[int, Message]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def sent(self, req: Message) -> None:
        """A request went to the peer."""
        matchtag = req.aux2
        if matchtag and not req.flags & c.NORESPONSE:
            requests = self._senders.setdefault(req.routes or (), {})
            self._count += matchtag not in requests
            requests[matchtag] = req
        elif req.topic is not None and req.topic.endswith("disconnect"):
            self._forget_sender(req)

    def received(self, rsp: Message) -> bool:
        """A response came from the peer (its route stack as the peer's hop left it).

        :returns: True if it answers something that is remembered
        """
        routes = rsp.routes or ()
        requests = self._senders.get(routes)
        if requests is None or rsp.aux2 not in requests:
            return False
        if rsp.aux1 or not rsp.flags & c.STREAMING:
            self._forget(routes, requests, rsp.aux2)
        return True

    def _forget(self, routes: tuple[str, ...], requests: dict[int, Message], matchtag: int) -> None:
        del requests[matchtag]
        self._count -= 1
        if not requests:
            del self._senders[routes]

    def _forget_sender(self, disconnect: Message) -> None:
        """A client's disconnect went to the peer: its streams there get no last response."""
        routes = disconnect.routes or ()
        service = (disconnect.topic or "").removesuffix("disconnect")
        requests = self._senders.get(routes, {})
        for matchtag, req in list(requests.items()):
            if (req.topic or "").startswith(service):
                self._forget(routes, requests, matchtag)

    def purge(self) -> list[Message]:
        """Forget and return all: the peer is gone."""
        senders, self._senders = self._senders, {}
        self._count = 0
        return [req for requests in senders.values() for req in requests.values()]
