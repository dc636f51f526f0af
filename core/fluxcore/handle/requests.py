"""Requests that a service keeps: streams to feed, waiters to answer (CONTRACTS A15, A16, A7)."""

import errno
from collections.abc import Iterator
from typing import Protocol

from fluxcore.wire.constants import ROLE_OWNER
from fluxcore.wire.message import Message, Payload
from fluxcore.wire.payload import need_int


class Responder(Protocol):
    """What answers requests: a handle or its core."""

    def respond(self, req: Message, payload: Payload = None) -> None:
        """Answer ``req``."""

    def respond_error(self, req: Message, errnum: int, text: str | None = None) -> None:
        """Fail ``req``."""


def sender(req: Message) -> str:
    """The uuid of who made the request: the first hop of its route stack."""
    return req.routes[0] if req.routes else ""


def may_end(req: Message, by: Message) -> bool:
    """True if who has sent ``by`` may end ``req``: the instance's owner, and the same user."""
    return bool(by.rolemask & ROLE_OWNER) or by.userid == req.userid


def goes_with(req: Message, disconnect: Message) -> bool:
    """True if ``req`` is of the client that a disconnect request says is gone.

    A guest can claim any sender, but no other user: what others have asked for stays.
    """
    return sender(req) == sender(disconnect) and may_end(req, disconnect)


class RequestList:
    """Kept requests in the order they came, each found by its sender and matchtag."""

    __slots__ = ("_requests", "_responder")

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._requests: dict[tuple[str, int], Message] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Message]:
        return iter(list(self._requests.values()))

    def add(self, req: Message) -> None:
        """Keep ``req``."""
        self._requests[sender(req), req.matchtag] = req

    def discard(self, req: Message) -> bool:
        """Keep ``req`` no more; True if it was kept."""
        return self._requests.pop((sender(req), req.matchtag), None) is not None

    def respond(self, payload: Payload = None) -> None:
        """Give ``payload`` to each; those that are no streams are answered with it."""
        for req in self:
            self._responder.respond(req, payload)
            if not req.streaming:
                self.discard(req)

    def end(self, errnum: int = errno.ENODATA, text: str | None = None) -> None:
        """End each with ``errnum``."""
        requests, self._requests = self._requests, {}
        for req in requests.values():
            self._responder.respond_error(req, errnum, text)

    def cancel(self, cancel: Message) -> Message | None:
        """End the one that a cancel request ``{matchtag}`` of its sender names with ENODATA.

        What is not found, or is another user's, is ignored.
        """
        key = (sender(cancel), need_int(cancel.json, "matchtag"))
        req = self._requests.get(key)
        if req is None or not may_end(req, cancel):
            return None
        del self._requests[key]
        self._responder.respond_error(req, errno.ENODATA)
        return req

    def disconnect(self, disconnect: Message) -> list[Message]:
        """Forget all of the sender of a disconnect request; those forgotten."""
        gone = [req for req in self if goes_with(req, disconnect)]
        for req in gone:
            self.discard(req)
        return gone
