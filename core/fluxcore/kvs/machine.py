"""How a commit or a lookup waits without IO.

Both walk the hash tree, whose objects may not be at hand. They are generators: what one yields
is what it needs, and it is resumed with that::

    machine = lookup(...)
    need = next(machine)
    while True:
        if isinstance(need, NeedBlobs):
            blobs = {ref: ... for ref in need.refs}
        else:  # NeedRoot: see that the namespace is known here
            blobs = {}
        need = machine.send(blobs)  # StopIteration.value is the result

What it needs and cannot have is thrown into it as an OSError, which ends it like any failure of
its own: the OSError comes out. A machine holds on to what it was given, so it comes to its end
however small the cache.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fluxcore.kvs.cache import Cache
from fluxcore.kvs.directory import Directory
from fluxcore.kvs.treeobj import Treeobj, single_ref

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NeedBlobs:
    """Resume it with the blob of each of ``refs``, which differ."""

    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeedRoot:
    """Resume it, with nothing, when ``namespace`` is in the table of namespaces."""

    namespace: str


Need = NeedBlobs | NeedRoot
Machine = Generator[Need, Mapping[str, bytes], T]


class Stored:
    """A blob in the cache, and the directory in it once it was asked for."""

    __slots__ = ("_directory", "blob")

    def __init__(self, blob: bytes, directory: Directory | None = None) -> None:
        self.blob = blob
        self._directory = directory

    @property
    def directory(self) -> Directory:
        """The directory in the blob.

        :raises OSError: EPROTO, there is none
        """
        if self._directory is None:
            self._directory = Directory.decode(self.blob)
        return self._directory


class ObjectCache(Cache[str, Stored]):
    """What is at hand of the hash tree, by blobref; at most ``limit`` bytes, about."""

    #: Bytes that an entry costs beside its blob and what is made of it.
    OVERHEAD = 256

    def __init__(self, limit: int = 16 << 20) -> None:
        super().__init__()
        self.limit = limit

    def store(self, ref: str, stored: Stored) -> None:
        """Keep ``stored``, evicting others if need be."""
        self.add(ref, stored, 2 * len(stored.blob) + self.OVERHEAD)
        if self.size > self.limit:
            self.trim(self.limit)


def fetch(cache: ObjectCache, refs: list[str]) -> Machine[list[Stored]]:
    """What is stored under ``refs``, in their order; what is not at hand is asked for at once."""
    found: dict[str, Stored] = {}
    missing: dict[str, None] = {}
    for ref in refs:
        stored = found.get(ref) or cache.get(ref)
        if stored is None:
            missing[ref] = None
        else:
            found[ref] = stored
    if missing:
        blobs = yield NeedBlobs(tuple(missing))
        for ref in missing:
            stored = cache.get(ref)  # somebody else may have asked for it too
            if stored is None:
                stored = Stored(blobs[ref])
                cache.store(ref, stored)
            found[ref] = stored
    return [found[ref] for ref in refs]


def fetch_directory(cache: ObjectCache, dirref: Treeobj) -> Machine[Stored]:
    """The stored directory that ``dirref`` refers to.

    :raises OSError: ENOTRECOVERABLE, it has several blobrefs
    """
    ref = single_ref(dirref)
    stored = cache.get(ref)
    if stored is None:
        stored = (yield from fetch(cache, [ref]))[0]
    return stored
