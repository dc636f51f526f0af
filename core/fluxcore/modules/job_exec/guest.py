"""The records of a running job, on their way into its KVS namespace (RFC 16, RFC 24).

Lines are gathered by key and committed together: all that happens to a job within a few
milliseconds is one commit, and all that happens to a short job at its end, too.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from fluxcore.kvs import ops
from fluxcore.kvs.blobref import HashType, blobref
from fluxcore.kvs.treeobj import encode, make_dir, make_dirref, make_val

EXEC: Final = "exec.eventlog"
OUTPUT: Final = "output"
INPUT: Final = "input"


def event_line(now: float, name: str, context: Mapping[str, Any] | None = None) -> bytes:
    """An event of an eventlog, newline included."""
    event: dict[str, Any] = {"timestamp": now, "name": name}
    if context is not None:
        event["context"] = context
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


class GuestLog:
    """Events that have not been committed yet, by key."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[str, list[bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def append(
        self, now: float, key: str, name: str, context: Mapping[str, Any] | None = None
    ) -> None:
        """Add an event to the eventlog at ``key``."""
        self._lines.setdefault(key, []).append(event_line(now, name, context))

    def take(self) -> list[ops.Op]:
        """The operations that commit what is there, which is then there no more."""
        lines, self._lines = self._lines, {}
        return [ops.append(key, b"".join(parts)) for key, parts in lines.items()]


def first_root(now: float, kind: HashType) -> tuple[str, list[bytes]]:
    """The root that a job's namespace begins with, and the blobs that it is made of.

    It holds the exec eventlog with its first event. To store two blobs and name the root costs a
    fraction of committing to an empty namespace.
    """
    eventlog = make_val(event_line(now, "init"))
    folder = encode(make_dir({"eventlog": eventlog}))
    root = encode(make_dir({"exec": make_dirref(blobref(folder, kind))}))
    return blobref(root, kind), [folder, root]
