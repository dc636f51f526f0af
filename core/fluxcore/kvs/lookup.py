"""A lookup: a key of a root to its tree object or value (CONTRACTS C3, C4).

It is a machine without IO (see :mod:`~fluxcore.kvs.machine`).
"""

import errno
from collections.abc import Mapping
from typing import Final, Protocol

from fluxcore.kvs import treeobj
from fluxcore.kvs.directory import Directory
from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.key import ROOT, normalize
from fluxcore.kvs.machine import Machine, NeedRoot, ObjectCache, Stored, fetch, fetch_directory
from fluxcore.kvs.treeobj import Treeobj

READDIR: Final = 1
READLINK: Final = 2
TREEOBJ: Final = 16

#: Symlinks within symlinks before it counts as a loop.
DEPTH_MAX: Final = 10

_VALUE_MAX: Final = 2**31 - 1

#: What a type that is not asked for fails with: if READLINK is set, if READDIR is set, if
#: neither is. 0 where it is not a failure.
_ERRORS: Final[Mapping[str, tuple[int, int, int]]] = {
    "val": (errno.EINVAL, errno.ENOTDIR, 0),
    "valref": (errno.EINVAL, errno.ENOTDIR, 0),
    "dir": (errno.EINVAL, 0, errno.EISDIR),
    "dirref": (errno.EINVAL, 0, errno.EISDIR),
    "symlink": (0, errno.ENOTDIR, errno.EPROTO),
}


class Rooted(Protocol):
    """What a lookup needs of a namespace."""

    rootref: str
    removed: bool

    def check_user(self, userid: int | None) -> None:
        """Raise EPERM for one who has no business with it."""


class RootTable(Protocol):
    """What a lookup needs of the table of namespaces."""

    def get(self, name: str) -> Rooted | None:
        """The namespace ``name``, None if it is not known here."""


def lookup(
    cache: ObjectCache,
    roots: RootTable,
    key: str,
    flags: int,
    *,
    rootref: str,
    namespace: Rooted | None = None,
    userid: int | None = None,
) -> Machine[bytes | None]:
    """The machine that finds ``key`` under ``rootref``.

    :param namespace: the one that ``rootref`` is the root of, None if it was given as such
    :param userid: who asks, None for the instance's owner; other namespaces are checked for him
    :returns: the tree object's JSON text (a value as a val, however it is stored), or None if
        there is no such key
    :raises OSError: EISDIR, ENOTDIR, EINVAL for another type than asked for, ELOOP, ENOTSUP for
        an unknown namespace, EPERM for somebody else's, ENOTRECOVERABLE for a broken object
    """
    return _Lookup(cache, roots, flags, namespace, userid).run(rootref, normalize(key))


class _Lookup:
    __slots__ = ("_cache", "_flags", "_namespace", "_roots", "_userid")

    def __init__(
        self,
        cache: ObjectCache,
        roots: RootTable,
        flags: int,
        namespace: Rooted | None,
        userid: int | None,
    ) -> None:
        self._cache = cache
        self._roots = roots
        self._flags = flags
        self._namespace = namespace
        self._userid = userid

    def run(self, rootref: str, key: str) -> Machine[bytes | None]:
        """Find ``key``."""
        root = treeobj.make_dirref(rootref)
        if key == ROOT:
            return (yield from self._root_value(root))
        obj = yield from self._walk(rootref, key, 0)
        if obj is None:
            return None
        return (yield from self._value(obj))

    # -- the path --------------------------------------------------------------------------

    def _walk(self, rootref: str, key: str, depth: int) -> Machine[Treeobj | None]:
        """The tree object at ``key``, None if there is none; ``depth`` links lead here.

        The names in a symlink's target are taken as they are: ``a..b`` holds an empty name.
        """
        here = treeobj.make_dirref(rootref)
        names = key.split(".")
        for at, name in enumerate(names):
            is_root = not at and not depth
            directory = yield from self._directory(here, errno.EINVAL if is_root else 0)
            entry = directory.get(name) if directory is not None else None
            if entry is None:
                return None
            if entry["type"] == "symlink" and self._follows(at + 1 == len(names), depth):
                entry = yield from self._follow(rootref, entry, depth)
                if entry is None:
                    return None
            here = entry
        return here

    def _follows(self, last: bool, depth: int) -> bool:
        return not last or depth > 0 or not self._flags & (READLINK | TREEOBJ)

    def _follow(self, rootref: str, link: Treeobj, depth: int) -> Machine[Treeobj | None]:
        if depth == DEPTH_MAX:
            raise kvs_error(errno.ELOOP)
        namespace, target = treeobj.link_of(link)
        if namespace is not None:
            rootref = yield from self._root_of(namespace)
        if target == ROOT:
            return treeobj.make_dirref(rootref)
        return (yield from self._walk(rootref, target, depth + 1))

    def _root_of(self, name: str) -> Machine[str]:
        namespace = self._roots.get(name)
        if namespace is None:
            yield NeedRoot(name)
            self._check_still_there()
            namespace = self._roots.get(name)
            if namespace is None:
                raise kvs_error(errno.ENOTSUP)
        namespace.check_user(self._userid)
        return namespace.rootref

    def _directory(self, obj: Treeobj, errnum: int = 0) -> Machine[Directory | None]:
        """The directory that ``obj`` is or refers to; None if it is a value.

        :raises OSError: ``errnum``, else ENOTRECOVERABLE, if it refers to no directory
        """
        if obj["type"] == "dir":
            return Directory.decode(treeobj.encode(obj))
        if obj["type"] != "dirref":
            return None
        stored: Stored = yield from fetch_directory(self._cache, obj)
        self._check_still_there()
        try:
            return stored.directory
        except OSError:
            raise kvs_error(errnum or errno.ENOTRECOVERABLE) from None

    def _check_still_there(self) -> None:
        if self._namespace is not None:
            if self._namespace.removed:
                raise kvs_error(errno.ENOTSUP)
            self._namespace.check_user(self._userid)

    # -- what is there ---------------------------------------------------------------------

    def _root_value(self, root: Treeobj) -> Machine[bytes]:
        if self._flags & TREEOBJ:
            return treeobj.encode(root)
        if not self._flags & READDIR:
            raise kvs_error(errno.EISDIR)
        return (yield from self._listing(root, errno.EINVAL))

    def _value(self, obj: Treeobj) -> Machine[bytes]:
        if self._flags & TREEOBJ:
            return treeobj.encode(obj)
        kind: str = obj["type"]
        self._check_type(kind)
        if kind == "dirref":
            return (yield from self._listing(obj))
        if kind == "valref":
            return (yield from self._concatenated(obj["data"]))
        return treeobj.encode(obj)

    def _check_type(self, kind: str) -> None:
        if_readlink, if_readdir, if_neither = _ERRORS[kind]
        wants_link, wants_dir = self._flags & READLINK, self._flags & READDIR
        errnum = 0
        if wants_link:
            errnum = if_readlink
        if wants_dir and not errnum:
            errnum = if_readdir
        if not wants_link and not wants_dir:
            errnum = if_neither
        if errnum:
            raise kvs_error(errnum)

    def _listing(self, dirref: Treeobj, errnum: int = 0) -> Machine[bytes]:
        directory = yield from self._directory(dirref, errnum)
        assert directory is not None
        directory.entries()
        return directory.blob

    def _concatenated(self, refs: list[str]) -> Machine[bytes]:
        pieces = yield from fetch(self._cache, refs)
        self._check_still_there()
        if sum(len(piece.blob) for piece in pieces) > _VALUE_MAX:
            raise kvs_error(errno.EOVERFLOW)
        value = b"".join([piece.blob for piece in pieces])
        return b'{"ver":1,"type":"val","data":"%b"}' % treeobj.encode_base64(value).encode()
