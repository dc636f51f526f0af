"""A content store in a dictionary, which drives the hash tree's machines to their end."""

import errno
from collections.abc import Generator, Mapping
from typing import Any

from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.directory import EMPTY_BLOB
from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.lookup import lookup
from fluxcore.kvs.machine import NeedBlobs, ObjectCache
from fluxcore.kvs.namespace import Namespaces
from fluxcore.kvs.transaction import Applied, apply

EMPTY = blobref(EMPTY_BLOB)


class Store:
    """All blobs by reference, a cache before them, and one root."""

    def __init__(self, limit: int = 16 << 20) -> None:
        self.blobs = {EMPTY: EMPTY_BLOB}
        self.cache = ObjectCache(limit)
        self.roots: Namespaces[str] = Namespaces()
        self.root = EMPTY
        self.loads: list[tuple[str, ...]] = []

    def run(self, machine: Generator[Any, Mapping[str, bytes], Any]) -> Any:
        """Give ``machine`` what it needs until it is done; its result."""
        try:
            need = next(machine)
            while True:
                if not isinstance(need, NeedBlobs):
                    need = machine.throw(kvs_error(errno.ENOTSUP))
                    continue
                self.loads.append(need.refs)
                if any(ref not in self.blobs for ref in need.refs):
                    need = machine.throw(kvs_error(errno.ENOENT))
                else:
                    need = machine.send({ref: self.blobs[ref] for ref in need.refs})
        except StopIteration as stop:
            return stop.value

    def commit(self, *ops: object, namespace: str = "primary") -> Applied:
        """Apply ``ops`` to the root; the new root is stored and in place."""
        applied: Applied = self.run(apply(self.cache, self.root, ops, namespace=namespace))
        self.blobs.update(applied.stores)
        self.root = applied.rootref
        return applied

    def lookup(self, key: str, flags: int = 0, **kw: Any) -> bytes | None:
        """The JSON text at ``key``."""
        kw.setdefault("rootref", self.root)
        result: bytes | None = self.run(lookup(self.cache, self.roots, key, flags, **kw))
        return result
