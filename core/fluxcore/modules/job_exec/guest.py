"""The records of a running job, on their way into the KVS (RFC 16, RFC 24).

Lines are gathered by key and committed together: all that happens to a job within some
milliseconds is one commit, and all that happens to a short job is one, too.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import Treeobj, make_dir, make_val

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
        """The operations that append what is there, which is then there no more."""
        return [ops.append(key, value) for key, value in self._take().items()]

    def take_tree(self) -> Treeobj:
        """The directory that what is there makes, if that is all there has ever been."""
        tree: dict[str, Treeobj] = {}
        for key, value in self._take().items():
            folder, dot, name = key.rpartition(".")
            tree[folder or name] = make_dir({name: make_val(value)}) if dot else make_val(value)
        return make_dir(tree)

    def _take(self) -> dict[str, bytes]:
        lines, self._lines = self._lines, {}
        return {key: b"".join(parts) for key, parts in lines.items()}
