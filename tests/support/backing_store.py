"""A backing store for the content service that answers when it is told to."""

import errno
import hashlib
from typing import Any

from fluxcore.handle.service import DEFERRED, Method, Reply
from fluxcore.wire.message import Message


def digest(blob: bytes) -> bytes:
    return hashlib.sha1(blob).digest()


class Backing:
    """A service content-backing on rank 0 that answers when it is told to."""

    def __init__(self, instance: Any) -> None:
        self.blobs: dict[bytes, bytes] = {}
        self.checkpoints: list[object] = []
        self.loads = 0
        self.failure = 0
        self.held: list[Message] | None = None
        self.most_held = 0
        broker = instance.brokers[0]
        self.flux = broker.own.flux
        broker.router.add_service("content-backing", broker.own)
        for name in ("load", "store", "checkpoint-get", "checkpoint-put"):
            function = getattr(self, name.replace("-", "_"))
            self.flux.core.add_method(f"content-backing.{name}", Method(function))

    def load(self, req: Message) -> Reply:
        self.loads += 1
        blob = self.blobs.get(req.data or b"")
        if blob is None:
            raise OSError(errno.ENOENT, "No such file or directory")
        return blob or None

    def store(self, req: Message) -> Reply:
        if self.held is not None:
            self.held.append(req)
            self.most_held = max(self.most_held, len(self.held))
            return DEFERRED
        if self.failure:
            raise OSError(self.failure, "disk trouble")
        self.blobs[digest(req.data or b"")] = req.data or b""
        return digest(req.data or b"")

    def release(self) -> None:
        while self.held:
            req = self.held.pop(0)
            self.blobs[digest(req.data or b"")] = req.data or b""
            self.flux.respond(req, digest(req.data or b""))

    def checkpoint_get(self, _req: Message) -> Reply:
        return {"value": self.checkpoints}

    def checkpoint_put(self, req: Message) -> Reply:
        self.checkpoints.insert(0, req.json["value"])
        return None


async def backed(instance: Any, size: int = 1, *args: str) -> tuple[Any, Backing]:
    """An instance whose content service has a backing store."""
    it = await instance(size)
    backing = Backing(it)
    await it.load("content", *args)
    await it.flux().rpc("content.register-backing", {"name": "fake"})
    return it, backing
