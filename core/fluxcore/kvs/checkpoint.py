"""Checkpoints: which root a namespace had, kept by the content store's backing (CONTRACTS C19).

``{"version":1, "rootref":blobref, "sequence":rootseq, "timestamp":seconds since 1970}``
"""

import errno
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.kvs.blobref import valid_blobref
from fluxcore.kvs.errors import kvs_error

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint; 0 stands for a sequence number or time that is not known."""

    rootref: str
    rootseq: int = 0
    timestamp: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The object that is stored."""
        return {
            "version": VERSION,
            "rootref": self.rootref,
            "sequence": self.rootseq,
            "timestamp": self.timestamp,
        }


def parse_checkpoint(value: object) -> Checkpoint:
    """The checkpoint in a stored object; those of version 0 have no sequence number.

    :raises OSError: EPROTO, it is no checkpoint; EINVAL, its version is not known
    """
    if type(value) is not dict or not valid_blobref(value.get("rootref")):
        raise kvs_error(errno.EPROTO)
    version, sequence = value.get("version"), value.get("sequence", 0)
    timestamp = value.get("timestamp", 0.0)
    if type(version) is not int or type(sequence) is not int:
        raise kvs_error(errno.EPROTO)
    if type(timestamp) not in (int, float):
        raise kvs_error(errno.EPROTO)
    if version not in (0, VERSION):
        raise kvs_error(errno.EINVAL)
    return Checkpoint(value["rootref"], sequence, float(timestamp))


def parse_checkpoints(value: object) -> list[Checkpoint]:
    """The checkpoints that checkpoint-get answers with, the latest first.

    An older backing store answers with one alone.

    :raises OSError: as :func:`parse_checkpoint`
    """
    return [parse_checkpoint(each) for each in (value if isinstance(value, list) else [value])]
