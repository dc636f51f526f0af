"""A transaction: operations applied to a root, all or none (CONTRACTS C2).

It is a machine without IO (see :mod:`~fluxcore.kvs.machine`). Walking the path of each key opens
the directories on the way as drafts; at the end every changed one becomes a blob, its
subdirectories first, and the last one's blobref is the new root. Nothing is visible before.
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from fluxcore.kvs import treeobj
from fluxcore.kvs.blobref import DEFAULT_HASH, HashType, blobref
from fluxcore.kvs.directory import Directory, Draft, finish_all, must_be_stored_apart
from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.key import PRIMARY, ROOT, normalize
from fluxcore.kvs.machine import Machine, ObjectCache, Stored, fetch
from fluxcore.kvs.ops import APPEND, decode_op
from fluxcore.kvs.treeobj import Treeobj

#: Symlinks followed for one key before it counts as a loop. flux-core follows them until its
#: stack ends.
FOLLOW_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction has come to.

    ``stores`` are the blobs to store, by blobref, before anybody learns of ``rootref``. A blob
    that is stored already is among them, so that its store knows it is in use again.
    ``keys`` are the normalised keys that the operations named, for the setroot event.
    """

    rootref: str
    stores: dict[str, bytes]
    keys: tuple[str, ...]
    #: How many of ``stores`` were in the cache already.
    known: int


def apply(
    cache: ObjectCache,
    rootref: str,
    ops: Iterable[object],
    *,
    namespace: str = PRIMARY,
    kind: HashType = DEFAULT_HASH,
) -> Machine[Applied]:
    """The machine that applies ``ops`` to the root ``rootref`` of ``namespace``.

    :raises OSError: EPROTO for what is no operation or no base64, EINVAL for an invalid tree
        object, the root key and a symlink to another namespace on a path, EISDIR and EOPNOTSUPP
        for an append to a directory or symlink, ELOOP for symlinks without end, ENOTRECOVERABLE
        for a stored object that is broken
    """
    transaction = _Transaction(cache, namespace, kind)
    keys: dict[str, None] = {}
    ops = list(ops)
    root = (yield from fetch(cache, [rootref]))[0] if ops else None
    if root is not None:
        transaction.start(root)
    for op in ops:
        key, flags, dirent = decode_op(op)
        key = normalize(key)
        keys[key] = None
        yield from transaction.apply(key, flags, dirent)
    return transaction.finish(rootref, tuple(keys))


class _Transaction:
    __slots__ = ("_cache", "_kind", "_namespace", "_root", "_stores")

    def __init__(self, cache: ObjectCache, namespace: str, kind: HashType) -> None:
        self._cache = cache
        self._namespace = namespace
        self._kind = kind
        self._root: Draft | None = None
        self._stores: dict[str, bytes] = {}

    def start(self, root: Stored) -> None:
        """Open the root directory."""
        directory = _directory_in(root)
        self._root = Draft.of(directory)
        if self._root is None:
            self._root = Draft.new()
            self._fill(self._root, directory.entries())

    def apply(self, key: str, flags: int, dirent: object) -> Machine[None]:
        """Apply one operation."""
        found = yield from self._walk(key, making=dirent is not None)
        if found is None:
            return
        draft, name = found
        if dirent is None:
            draft.delete(name)
        elif flags & APPEND:
            self._append(draft, name, dirent)
        else:
            self._put(draft, name, treeobj.validate(dirent))

    # -- the path --------------------------------------------------------------------------

    def _walk(self, key: str, *, making: bool) -> Machine[tuple[Draft, str] | None]:
        """The draft that ``key`` is in and its last name.

        Missing directories on the way are made if ``making``, and a value on the way is
        replaced by one; else there is nothing at ``key``, and None says so.
        """
        for _ in range(FOLLOW_MAX + 1):
            if key == ROOT:
                raise kvs_error(errno.EINVAL)
            assert self._root is not None
            draft = self._root
            *path, last = key.split(".")
            for at, name in enumerate(path):
                step = draft.children.get(name)
                if step is not None:
                    draft = step
                    continue
                text = draft.get(name)
                ref = None if text is None else treeobj.dirref_in(text)
                if ref is not None:
                    stored = self._cache.get(ref)
                    if stored is None:
                        stored = (yield from fetch(self._cache, [ref]))[0]
                    draft = self._open(draft, name, _directory_in(stored))
                    continue
                target = None if text is None else self._target(text)
                if target is not None:
                    key = normalize(".".join((target, *path[at + 1 :], last)))
                    break
                if not making:
                    return None
                draft = draft.make(name)
            else:
                return draft, last
        raise kvs_error(errno.ELOOP)

    def _target(self, text: bytes) -> str | None:
        """The key that the entry ``text`` leads on to if it is a symlink."""
        if treeobj.text_kind(text) != "symlink":
            return None
        namespace, target = treeobj.link_of(orjson.loads(text))
        if namespace not in (None, self._namespace):
            raise kvs_error(errno.EINVAL)
        return target

    def _open(self, draft: Draft, name: str, directory: Directory) -> Draft:
        child = draft.open(name, directory)
        if child is None:
            child = draft.make(name)
            self._fill(child, directory.entries())
        return child

    # -- the last name ---------------------------------------------------------------------

    def _put(self, draft: Draft, name: str, obj: Treeobj) -> None:
        """Set ``name`` to ``obj``; what is stored apart is, a directory when it is finished."""
        todo = [(draft, name, obj)]
        while todo:
            draft, name, obj = todo.pop()
            if obj["type"] == "dir":
                child = draft.make(name)
                todo.extend((child, n, o) for n, o in obj["data"].items())
            elif must_be_stored_apart(obj):
                ref = self._store_val(obj)
                draft.put(name, treeobj.valref_text(ref))
            else:
                draft.put(name, treeobj.encode(obj))

    def _fill(self, draft: Draft, entries: dict[str, Treeobj]) -> None:
        for name, obj in entries.items():
            self._put(draft, name, obj)

    def _append(self, draft: Draft, name: str, dirent: object) -> None:
        if treeobj.kind_of(dirent) != "val":
            raise kvs_error(errno.EPROTO)
        val = treeobj.validate(dirent)
        text = draft.get(name)
        kind = treeobj.text_kind(text) if text is not None else None
        if name in draft.children or kind == "dirref":
            raise kvs_error(errno.EISDIR)
        if kind == "symlink":
            raise kvs_error(errno.EOPNOTSUPP)
        if text is None:
            self._put(draft, name, val)
            return
        if kind == "val":
            old = self._store_val(orjson.loads(text))
            text = treeobj.valref_text(old)
        draft.put(name, treeobj.grow_valref(text, self._store_val(val)))

    # -- blobs -----------------------------------------------------------------------------

    def _store_val(self, val: Treeobj) -> str:
        return self._store(treeobj.decode_base64(val["data"], errno.EPROTO))

    def _store(self, blob: bytes) -> str:
        ref = blobref(blob, self._kind)
        self._stores[ref] = blob
        return ref

    def finish(self, rootref: str, keys: tuple[str, ...]) -> Applied:
        """Turn the drafts into blobs, and put all blobs into the cache."""
        cache, stores = self._cache, self._stores
        fresh = {ref: Stored(blob) for ref, blob in stores.items()}
        directories = finish_all(self._root, self._kind) if self._root is not None else []
        for ref, directory in directories:
            stores[ref] = directory.blob
            fresh[ref] = Stored(directory.blob, directory)
            rootref = ref
        known = sum(map(cache.__contains__, fresh))
        for ref, stored in fresh.items():
            cache.store(ref, stored)
        return Applied(rootref, stores, keys, known)


def _directory_in(stored: Stored) -> Directory:
    try:
        return stored.directory
    except OSError:
        raise kvs_error(errno.ENOTRECOVERABLE) from None
