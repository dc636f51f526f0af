"""Many blobs in one message, as content.store-batch and content-backing.store-batch carry them.

A KVS commit makes a dozen small blobs. One request for each would cost more than all the rest of
the commit, so between services that know of it they travel together: a msgpack array of blobs
goes, and their digests, one behind the other, come back. Large blobs gain nothing by that and go
alone.
"""

import errno
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgpack

from fluxcore.kvs.errors import kvs_error

K = TypeVar("K")

_BYTES: Final = {bytes}

#: A blob above this many bytes goes alone.
SMALL: Final = 1 << 16


def pack(blobs: Sequence[bytes]) -> bytes:
    """The payload that carries ``blobs``."""
    payload: bytes = msgpack.packb(blobs)
    return payload


def unpack(payload: bytes | None) -> list[bytes]:
    """The blobs in ``payload``.

    :raises OSError: EPROTO, it carries something else
    """
    try:
        blobs = msgpack.unpackb(payload or b"")
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        raise kvs_error(errno.EPROTO) from None
    if type(blobs) is not list or not _BYTES.issuperset(map(type, blobs)):
        raise kvs_error(errno.EPROTO)
    return blobs


def parts(blobs: Mapping[K, bytes], keys: Iterable[K]) -> list[list[K]]:
    """``keys`` in groups, each of which is one request: the small blobs together."""
    if max(map(len, blobs.values()), default=0) <= SMALL:
        together = list(keys)
        return [together] if together else []
    small: list[K] = []
    groups: list[list[K]] = []
    for key in keys:
        if len(blobs[key]) > SMALL:
            groups.append([key])
        else:
            small.append(key)
    if small:
        groups.append(small)
    return groups
