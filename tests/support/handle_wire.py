"""A handle without IO, and what it sends."""

from collections.abc import Callable
from typing import Any

from fluxcore.handle.core import HandleCore
from fluxcore.handle.service import Method
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request

OWNER = {"userid": 100, "rolemask": c.ROLE_OWNER}
GUEST = {"userid": 200, "rolemask": c.ROLE_USER}


class Sink:
    def __init__(self) -> None:
        self.got: list[Message] = []

    def feed(self, msg: Message) -> None:
        self.got.append(msg)


class Wire:
    """A core, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.crashes: list[tuple[str | None, str]] = []
        self.core = HandleCore(self.sent.append, crashed=self._crashed)

    def _crashed(self, msg: Message, exc: Exception) -> None:
        self.crashes.append((msg.topic, str(exc)))

    def serve(self, topic: str, function: Callable[[Message], Any], role: int = 0) -> None:
        self.core.add_method(topic, Method(function, role))

    def ask(self, topic: str, payload: Any = None, flags: int = 0, **creds: int) -> list[Message]:
        """What is sent on a request by the owner (or ``creds``)."""
        self.sent.clear()
        creds = creds or OWNER
        self.core.receive(request(topic, payload, matchtag=9, flags=flags, **creds).pushed("me"))
        return list(self.sent)


def failure(answers: list[Message]) -> tuple[int, str | None]:
    (answer,) = answers
    return answer.errnum, answer.text
