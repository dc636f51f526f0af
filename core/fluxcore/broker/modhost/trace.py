"""module.trace: watching the messages of modules (CONTRACTS A24)."""

import time
from collections.abc import Callable
from fnmatch import fnmatchcase

from fluxcore.broker.modhost.link import ModuleLink
from fluxcore.handle.requests import RequestList, Responder
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message

_TRACE_TOPIC = "module.trace"


class Tracer:
    """Tells those who asked about each message to or from a module.

    Links are hooked only while somebody traces: an untraced message costs nothing.
    """

    def __init__(self, responder: Responder, links: Callable[[], list[ModuleLink]]) -> None:
        self._responder = responder
        self._links = links
        self._requests = RequestList(responder)

    def add(self, req: Message) -> None:
        """Answer ``req`` for each message that it matches from now on."""
        self._requests.add(req)
        for link in self._links():
            self.hook(link)

    def disconnect(self, req: Message) -> None:
        """Forget the requests of a client that has gone."""
        self._requests.disconnect(req)
        if not len(self._requests):
            for link in self._links():
                link.on_message = None

    def hook(self, link: ModuleLink) -> None:
        """Watch a link that was loaded while somebody traces."""
        if len(self._requests):
            link.on_message = lambda prefix, msg: self._saw(link.name, prefix, msg)

    def _saw(self, name: str, prefix: str, msg: Message) -> None:
        if msg.topic == _TRACE_TOPIC:
            return
        for req in self._requests:
            wanted = req.json
            names = wanted.get("names")
            if (
                (names is None or name in names)
                and msg.type & wanted["typemask"]
                and fnmatchcase(msg.topic or "", wanted["topic_glob"] or "*")
            ):
                self._responder.respond(req, _describe(name, prefix, msg, wanted.get("full")))


def _describe(name: str, prefix: str, msg: Message, full: object) -> dict[str, object]:
    errnum = msg.errnum if msg.type == c.RESPONSE else 0
    payload = None
    if full and msg.has_payload and not errnum:
        try:
            payload = msg.json
        except PayloadError:
            payload = None
    return {
        "timestamp": time.time(),
        "prefix": prefix,
        "rank": -1,
        "name": name,
        "type": msg.type,
        "topic": msg.topic or "",
        "payload_size": len(msg.data or b""),
        "payload": payload,
        "errnum": errnum,
        "errstr": (msg.text or "") if full and errnum else "",
    }
