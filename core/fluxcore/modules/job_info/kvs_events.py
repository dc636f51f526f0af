"""Following an eventlog in the KVS: its events as they are appended (CONTRACTS C9, D11)."""

import errno
from collections import deque
from collections.abc import Callable, Iterator
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

#: Bytes of events that are handed on in one loop turn: each event is a message of its own, and a
#: megabyte of them would keep the broker from all else for seconds.
_PIECE: Final = 1 << 14

#: Flags of kvs-watch.lookup.
_KVS_WATCH: Final = 4
_KVS_WAITCREATE: Final = 8
_KVS_APPEND: Final = 256
_KVS_STREAM: Final = 512
_KVS_SENTINEL: Final = 1024


class KvsEvents:
    """One watch, from :meth:`start` on.

    ``on_data`` gets what was appended, whole events and not very many at once, and None for the
    initial sentinel; ``on_end`` why there is no more. With ``live`` False what is there now is
    read, and then it ends with ENODATA.
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
        #: What has come and has not been handed on, in order.
        self._pending: deque[bytes | OSError | None] = deque()

    def start(self) -> None:
        """Begin; answers may come before this returns."""
        self._stream = self._flux.stream(
            "kvs-watch.lookup", self._payload, cancel="kvs-watch.cancel"
        )
        self._stream.then(self._answered)

    def _answered(self, answer: Message) -> None:
        if self._stopped:
            return
        waiting = bool(self._pending)
        self._pending += _parts(answer)
        if not waiting:
            self._hand_on()

    def _hand_on(self) -> None:
        """Tell of some of what has come, and of the rest in later turns of the loop."""
        size = 0
        while self._pending and size < _PIECE:
            part = self._pending[0]
            if isinstance(part, OSError):
                self.stop()
                self._on_end(part)
                return
            self._on_data(part)
            if self._pending:  # nobody has stopped this
                self._pending.popleft()
            size += len(part or b"")
        if self._pending:
            self._flux.loop.call_soon(self._hand_on)

    def stop(self) -> None:
        """Watch no more; nobody is told anything from now on."""
        self._pending.clear()
        if not self._stopped:
            self._stopped = True
            if self._stream is not None:
                self._stream.cancel()


def _parts(answer: Message) -> list[bytes | OSError | None]:
    """What an answer of kvs-watch.lookup says, in pieces."""
    if answer.errnum:
        return [rpc_error(answer.errnum, answer.text)]
    if not answer.has_payload:
        return [None]
    data = val_bytes(answer.json["val"])
    if not data:  # somebody has overwritten the log
        return [rpc_error(errno.EINVAL, "illegal append of zero bytes")]
    return list(_pieces(data))


def _pieces(data: bytes) -> Iterator[bytes]:
    """``data`` cut behind events, into pieces of some kilobytes."""
    start = 0
    while len(data) - start > _PIECE:
        end = data.find(b"\n", start + _PIECE - 1) + 1 or len(data)
        yield data[start:end]
        start = end
    if start < len(data):
        yield data[start:]


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
