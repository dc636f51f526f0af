"""The key-value store: directories and keys as they are followed and read.

Directories are read again only when the namespace's root has changed, and at most every two
seconds, so a store with a thousand commits a second costs no more than an idle one. The key
that is open is watched: its value changes before the reader's eyes.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.kvs import treeobj
from fluxcore.kvs.key import format_link
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.payload import need_dict, need_int, need_str
from fluxtop.data.source import DEADLINE
from fluxtop.data.stream import batches
from fluxtop.data.trouble import Trouble

PRIMARY: Final = "primary"
#: Seconds between an answer about a namespace's root and the next question.
PAUSE: Final = 2.0

# Flags of kvs.lookup and kvs-watch.lookup (CONTRACTS C3, C9).
_READDIR: Final = 1
_WATCH: Final = 4
_WAITCREATE: Final = 8
_TREEOBJ: Final = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory.

    ``kind`` is ``dir``, ``value`` or ``link``; ``size`` the value's bytes where the directory
    holds it (None where it holds references), ``blobs`` how many blobs it is made of then;
    ``target`` is where a link points.
    """

    name: str
    kind: str
    size: int | None = None
    blobs: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Root:
    """A namespace's root reference and its sequence number."""

    rootref: str
    rootseq: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a directory, by name; or why it cannot be read."""

    key: str
    entries: tuple[Entry, ...]
    trouble: Trouble | None = None


KvsMessage = Root | Listing


@dataclass(frozen=True, slots=True)
class Directories:
    """Follow directories of a namespace, by key (``.`` is the root)."""

    namespace: str
    keys: frozenset[str]

    async def follow(self, flux: Flux, emit: Callable[[KvsMessage], None]) -> None:
        """Emit the Root when it changes, and after it the Listing of each directory."""
        seen: Root | None = None
        while True:
            root = await read_root(flux, self.namespace)
            if root != seen:
                seen = root
                emit(root)
                for listing in await self._list(flux):
                    emit(listing)
            await asyncio.sleep(PAUSE)

    async def _list(self, flux: Flux) -> list[Listing]:
        reads = [ListDirectory(self.namespace, key).run(flux) for key in sorted(self.keys)]
        return await asyncio.gather(*reads)


async def read_root(flux: Flux, namespace: str) -> Root:
    """Ask for a namespace's root."""
    answer = await flux.rpc("kvs.getroot", {"namespace": namespace}, timeout=DEADLINE)
    return Root(need_str(answer.json, "rootref"), need_int(answer.json, "rootseq"))


@dataclass(frozen=True, slots=True)
class ListDirectory:
    """Read a directory once."""

    namespace: str
    key: str

    async def run(self, flux: Flux) -> Listing:
        """Its listing; a directory that is gone gives one with a trouble."""
        payload = {"key": self.key, "namespace": self.namespace, "flags": _READDIR}
        try:
            answer = await flux.rpc("kvs.lookup", payload, timeout=DEADLINE)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            return Listing(self.key, (), Trouble.of(exc))
        return Listing(self.key, decode_directory(need_dict(answer.json, "val")))


@dataclass(frozen=True, slots=True)
class KeyWatch:
    """Follow the value of a key; one that is not there is waited for."""

    namespace: str
    key: str

    async def follow(self, flux: Flux, emit: Callable[[bytes | None], None]) -> None:
        """Emit the value now and whenever it changes; None if there is none yet.

        :raises OSError: ENOENT when the key is removed, EISDIR if it is a directory
        """
        subject = {"key": self.key, "namespace": self.namespace}
        try:
            # Its tree object: a large value is not to be read twice.
            await flux.rpc("kvs.lookup", {**subject, "flags": _TREEOBJ}, timeout=DEADLINE)
        except FileNotFoundError:
            emit(None)
        payload = {**subject, "flags": _WATCH | _WAITCREATE}
        stream = flux.stream("kvs-watch.lookup", payload, cancel="kvs-watch.cancel")
        async with aclosing(batches(stream)) as handfuls:
            async for batch in handfuls:
                emit(decode_value(batch[-1].json))


def decode_value(payload: Mapping[str, Any]) -> bytes:
    """The value in a lookup's answer.

    :raises PayloadError: there is none
    """
    obj = need_dict(payload, "val")
    if treeobj.kind_of(obj) != "val":
        raise PayloadError
    return treeobj.val_bytes(obj)


def decode_directory(obj: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The entries of a directory's tree object (RFC 11), by name.

    :raises PayloadError: it is none
    """
    if treeobj.kind_of(obj) != "dir":
        raise PayloadError
    data = need_dict(obj, "data")
    return tuple(_entry(name, data[name]) for name in sorted(data))


def _entry(name: str, obj: dict[str, Any]) -> Entry:
    kind, data = obj["type"], obj["data"]
    if kind in ("dir", "dirref"):
        return Entry(name, "dir")
    if kind == "symlink":
        namespace, target = treeobj.link_of(obj)
        return Entry(name, "link", target=format_link(target, namespace))
    if kind == "valref":
        return Entry(name, "value", blobs=len(data))
    return Entry(name, "value", size=len(treeobj.val_bytes(obj)))
