"""Blobrefs: the names of blobs, ``sha1-`` and a digest in lower-case hex (RFC 10).

A blob travels by its digest (raw bytes) between content services and by its blobref (text)
inside tree objects.
"""

import errno
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from fluxcore.kvs.errors import kvs_error


@dataclass(frozen=True, slots=True)
class HashType:
    """A hash that an instance may name its blobs by."""

    name: str
    #: Bytes in a digest.
    size: int
    digest: Callable[[bytes], bytes]


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data, usedforsecurity=False).digest()


#: By name, as broker attribute content.hash has it.
HASH_TYPES: Final = {
    "sha1": HashType("sha1", 20, _sha1),
    "sha256": HashType("sha256", 32, _sha256),
}
DEFAULT_HASH: Final = HASH_TYPES["sha1"]

_VALID: Final = re.compile(
    "|".join(f"{kind.name}-[0-9a-f]{{{2 * kind.size}}}" for kind in HASH_TYPES.values())
)


def hash_type(name: str) -> HashType:
    """The hash called ``name``.

    :raises OSError: EINVAL, there is none
    """
    try:
        return HASH_TYPES[name]
    except KeyError:
        raise kvs_error(errno.EINVAL) from None


def blobref(data: bytes, kind: HashType = DEFAULT_HASH) -> str:
    """The blobref of ``data``."""
    return f"{kind.name}-{kind.digest(data).hex()}"


def valid_blobref(ref: object) -> bool:
    """True if ``ref`` is the text of a blobref of a known hash."""
    return type(ref) is str and _VALID.fullmatch(ref) is not None


def to_digests(refs: Iterable[str], kind: HashType) -> bytes:
    """The digests, one behind the other, that ``refs`` name, which :func:`blobref` has made."""
    start = len(kind.name) + 1
    return bytes.fromhex("".join([ref[start:] for ref in refs]))


def to_digest(ref: str) -> bytes:
    """The digest that ``ref`` names.

    :raises OSError: EINVAL, it is no blobref
    """
    if not valid_blobref(ref):
        raise kvs_error(errno.EINVAL)
    return bytes.fromhex(ref.partition("-")[2])
