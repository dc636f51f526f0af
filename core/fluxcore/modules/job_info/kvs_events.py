"""Following an eventlog in the KVS: its events as they are appended (CONTRACTS C9, D11)."""

import errno
from collections.abc import Callable
from typing import Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.calls import Stream
from fluxcore.handle.errors import rpc_error
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.wire.message import Message

#: Flags of job-info.eventlog-watch.
WAITCREATE: Final = 1
INITIAL_SENTINEL: Final = 2

#: Flags of kvs-watch.lookup.
_KVS_WATCH: Final = 4
_KVS_WAITCREATE: Final = 8
_KVS_APPEND: Final = 256
_KVS_STREAM: Final = 512
_KVS_SENTINEL: Final = 1024


class KvsEvents:
    """One watch, from :meth:`start` on.

    ``on_data`` gets what was appended, None for the initial sentinel; ``on_end`` why there is no
    more. With ``live`` False what is there now is read, and then it ends with ENODATA.
    """

    def __init__(
        self,
        flux: Flux,
        namespace: str,
        key: str,
        flags: int,
        on_data: Callable[[bytes | None], None],
        on_end: Callable[[OSError], None],
        *,
        live: bool = True,
    ) -> None:
        self._flux = flux
        self._payload = {"key": key, "namespace": namespace, "flags": _kvs_flags(flags, live)}
        self._on_data = on_data
        self._on_end = on_end
        self._stream: Stream | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin; answers may come before this returns."""
        self._stream = self._flux.stream(
            "kvs-watch.lookup", self._payload, cancel="kvs-watch.cancel"
        )
        self._stream.then(self._answered)

    def _answered(self, answer: Message) -> None:
        if self._stopped:
            return
        if answer.errnum:
            self._stopped = True
            self._on_end(rpc_error(answer.errnum, answer.text))
        elif not answer.has_payload:
            self._on_data(None)
        else:
            self._take(answer)

    def _take(self, answer: Message) -> None:
        data = val_bytes(answer.json["val"])
        if data:
            self._on_data(data)
            return
        self.stop()  # somebody has overwritten the log
        self._on_end(rpc_error(errno.EINVAL, "illegal append of zero bytes"))

    def stop(self) -> None:
        """Watch no more; nobody is told anything from now on."""
        if not self._stopped:
            self._stopped = True
            if self._stream is not None:
                self._stream.cancel()


def _kvs_flags(flags: int, live: bool) -> int:
    if not live:
        return _KVS_STREAM
    kvs_flags = _KVS_WATCH | _KVS_APPEND
    if flags & WAITCREATE:
        kvs_flags |= _KVS_WAITCREATE
    if flags & INITIAL_SENTINEL:
        kvs_flags |= _KVS_SENTINEL
    return kvs_flags


def lines(data: bytes) -> list[bytes]:
    """The events in what was appended, each with its newline; a part of one is left out."""
    return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


def is_clean(line: bytes) -> bool:
    """True if an event is the last one of a job."""
    if b'"clean"' not in line:
        return False
    try:
        return bool(orjson.loads(line)["name"] == "clean")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False
