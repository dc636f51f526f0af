"""The operations of a commit: ``{"key":K, "flags":F, "dirent":treeobj or null}`` (CONTRACTS C2).

A client makes them here and sends a list of them in kvs.commit; the transaction takes them
apart. They are applied in order, all or none.
"""

import errno
from collections.abc import Iterable
from typing import Any, Final

from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.treeobj import (
    Treeobj,
    kind_of,
    make_dir,
    make_symlink,
    make_val,
    val_bytes,
)

#: The JSON object of one operation.
Op = dict[str, Any]

#: Flag of an operation: the value is added to the end of the key's.
APPEND: Final = 32

#: Flags of a commit. COMPACT is for the client (see :func:`compact`); the service ignores it.
NO_MERGE: Final = 1
COMPACT: Final = 2
SYNC: Final = 4


# -- making them ---------------------------------------------------------------------------


def put(key: str, value: bytes) -> Op:
    """Set ``key`` to ``value``."""
    return put_treeobj(key, make_val(value))


def append(key: str, value: bytes) -> Op:
    """Add ``value`` to the end of the value of ``key``, which may not exist yet."""
    return {"key": key, "flags": APPEND, "dirent": make_val(value)}


def put_treeobj(key: str, obj: Treeobj) -> Op:
    """Set ``key`` to a tree object."""
    return {"key": key, "flags": 0, "dirent": obj}


def mkdir(key: str) -> Op:
    """Make ``key`` an empty directory, whatever it was."""
    return put_treeobj(key, make_dir())


def symlink(key: str, target: str, namespace: str | None = None) -> Op:
    """Make ``key`` a symlink to ``target``."""
    return put_treeobj(key, make_symlink(target, namespace))


def unlink(key: str) -> Op:
    """Remove ``key`` and, if it is a directory, all that is in it."""
    return {"key": key, "flags": 0, "dirent": None}


# -- taking them apart ---------------------------------------------------------------------


def decode_op(op: object) -> tuple[str, int, object]:
    """The key, flags and dirent of an operation; the dirent is not looked at.

    :raises OSError: EPROTO, it is none
    """
    if type(op) is not dict or len(op) != 3 or "dirent" not in op:
        raise kvs_error(errno.EPROTO)
    key, flags = op.get("key"), op.get("flags")
    if type(key) is not str or type(flags) is not int or "\0" in key:
        raise kvs_error(errno.EPROTO)
    return key, flags, op["dirent"]


def authorize_guest(ops: Iterable[object]) -> None:
    """Refuse what a guest may not commit: references, symlinks and filled directories.

    With them a guest could reach what other users have stored.

    :raises OSError: EPERM with the type that is refused, EPROTO for what is no operation
    """
    for op in ops:
        try:
            _, _, dirent = decode_op(op)
        except OSError as exc:
            text = "could not decode commit operation"
            raise kvs_error(exc.errno or errno.EPROTO, text) from None
        kind = kind_of(dirent)
        if dirent is None or kind == "val" or (kind == "dir" and not _filled(dirent)):
            continue
        which = "non-empty dir" if kind == "dir" else kind or "???"
        raise kvs_error(errno.EPERM, f"guests may not commit {which} objects")


def _filled(dirent: object) -> bool:
    assert isinstance(dirent, dict)
    return bool(dirent["data"])


def compact(ops: Iterable[Op]) -> list[Op]:
    """``ops`` with the appends to each key made into one: fewer blobs in its valref.

    :raises OSError: EINVAL, a key is set after it was appended to
    """
    out: list[Op] = []
    appended: dict[str, tuple[int, list[bytes]]] = {}
    for op in ops:
        key, flags, dirent = decode_op(op)
        known = appended.get(key)
        if known is None:
            if flags == APPEND:
                appended[key] = (len(out), [_val(dirent)])
            out.append(op)
        elif flags == APPEND:
            known[1].append(_val(dirent))
        else:
            raise kvs_error(errno.EINVAL)
    for key, (index, values) in appended.items():
        if len(values) > 1:
            out[index] = append(key, b"".join(values))
    return out


def _val(dirent: object) -> bytes:
    if kind_of(dirent) != "val":
        raise kvs_error(errno.EINVAL)
    assert isinstance(dirent, dict)
    return val_bytes(dirent)
