"""``flux kvs get`` (CONTRACTS C3, C8, C9)."""

import errno
from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import (
    AT,
    NAMESPACE,
    as_text,
    key_error,
    lookup_payload,
    namespace_of,
    snapshot_of,
    treeobj_of,
    write,
)
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux, Pending
from fluxcore.handle.core import response_result
from fluxcore.kvs.lookup import TREEOBJ
from fluxcore.kvs.treeobj import Treeobj, encode, val_bytes
from fluxcore.wire.constants import STREAMING
from fluxcore.wire.message import Message

_WATCH: Final = 4
_WAITCREATE: Final = 8
_STREAM: Final = 512
_WATCH_FLAGS: Final = {"full": 64, "uniq": 128, "append": 256}


def get(parsed: Parsed) -> None:
    """Print the values of keys, once or whenever they change."""
    if not parsed.args:
        raise UsageError
    getter = _Getter(parsed)
    with connect() as flux:
        if "watch" in parsed:
            getter.watch(flux, parsed.args)
        else:
            for key in parsed.args:
                getter.get(flux, key)


class _Getter:
    """Sends lookups and prints what they find."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._flags = lookup_flags(parsed)
        self._left = parsed.integer("count", 0)
        self._watches: dict[str, Pending] = {}
        self._failed: CommandError | None = None

    def get(self, flux: Flux, key: str) -> None:
        """Print one key's value; of a stream, the parts as they come."""
        pending = self._start(flux, key)
        try:
            self._print(key, pending.get())
            while self._flags & _STREAM:
                self._print(key, pending.get())
        except OSError as exc:
            if not self._flags & _STREAM or exc.errno != errno.ENODATA:
                raise key_error(key, exc) from None
            print()

    def watch(self, flux: Flux, keys: list[str]) -> None:
        """Print the keys' values, and again when they change; -c times if that was given."""
        for key in keys:
            self._watches[key] = pending = self._start(flux, key)
            pending.then(lambda msg, key=key: self._changed(key, msg))  # type: ignore[misc]
        while self._watches and self._failed is None:
            flux.process()
        if self._failed is not None:
            raise self._failed

    def _changed(self, key: str, msg: Message) -> None:
        if key not in self._watches:
            return
        try:
            self._print(key, response_result(msg))
        except OSError as exc:
            del self._watches[key]
            if exc.errno != errno.ENODATA:
                self._failed = key_error(key, exc)
            return
        self._left -= 1
        if self._left == 0:
            for pending in self._watches.values():
                pending.cancel("kvs-watch.cancel")
            self._watches.clear()

    def _start(self, flux: Flux, key: str) -> Pending:
        if not key:
            raise key_error(key, OSError(errno.EINVAL, ""))
        root = snapshot_of(self._parsed, key)
        if root is not None and self._flags & ~TREEOBJ:
            raise key_error(key, OSError(errno.EINVAL, ""))
        watched = self._flags & (_WATCH | _WAITCREATE | _STREAM)
        topic = "kvs-watch.lookup" if watched else "kvs.lookup"
        payload = lookup_payload(key, self._flags, namespace_of(self._parsed), root)
        streaming = STREAMING if self._flags & (_WATCH | _STREAM) else 0
        return flux.start(topic, payload, flags=streaming)

    def _print(self, key: str, answer: Message) -> None:
        obj = treeobj_of(answer)
        label = f"{key}=".encode() if "label" in self._parsed else b""
        write(label + self._shown(obj))

    def _shown(self, obj: Treeobj) -> bytes:
        if "treeobj" in self._parsed:
            return encode(obj) + b"\n"
        value = val_bytes(obj)
        if "raw" in self._parsed:
            return value
        end = b"" if self._flags & _STREAM or not value else b"\n"
        return as_text(value) + end


def lookup_flags(parsed: Parsed) -> int:
    """The lookup flags that the options ask for (CONTRACTS C9)."""
    flags = TREEOBJ if "treeobj" in parsed else 0
    if "watch" in parsed:
        flags |= _WATCH
        flags |= sum(flag for name, flag in _WATCH_FLAGS.items() if name in parsed)
    if "waitcreate" in parsed:
        flags |= _WAITCREATE
    if "stream" in parsed:
        flags |= _STREAM
    return flags


GET: Final = Command(
    "flux-kvs get",
    "[OPTIONS] key [key...]",
    "Print the value of each key",
    get,
    [
        NAMESPACE,
        Option("raw", "r", doc="print the value as it is, without a newline behind it"),
        Option("treeobj", "t", doc="print the stored object (RFC 11)"),
        AT,
        Option("label", "l", doc="print key= before the value"),
        Option("waitcreate", "W", doc="if the key is not there, wait for it"),
        Option("watch", "w", doc="print the value again whenever the key is written"),
        Option("uniq", "u", doc="with -w, only when the value has changed"),
        Option("append", "A", doc="with -w, only what is appended"),
        Option("full", "f", doc="with -w, notice also changes of the directories above"),
        Option("count", "c", "COUNT", "with -w, exit after COUNT values"),
        Option("stream", "S", doc="take a large value in parts"),
    ],
)
