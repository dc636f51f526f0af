"""The primary namespace's beginning and end: its checkpoints (CONTRACTS C19, B18)."""

import asyncio
import errno
import os
import time
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR, LOG_INFO, format_timestamp
from fluxcore.kvs.blobref import HashType
from fluxcore.kvs.checkpoint import Checkpoint, parse_checkpoints
from fluxcore.kvs.directory import EMPTY_BLOB
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.namespace import Namespace, Namespaces
from fluxcore.kvs.ops import SYNC
from fluxcore.kvs.queue import Commit
from fluxcore.modules.kvs.commits import Commits
from fluxcore.wire.message import Message

#: What checkpoint-get fails with when there is none: no backing store, or a new one.
_NO_CHECKPOINT: Final = frozenset({errno.ENOSYS, errno.ENOENT})


class Primary:
    """Restores the primary namespace, saves it, and checkpoints it now and then."""

    def __init__(
        self, flux: Flux, kind: HashType, namespaces: Namespaces[Message], commits: Commits
    ) -> None:
        self._flux = flux
        self._kind = kind
        self._namespaces = namespaces
        self._commits = commits
        self._period = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._saved_seq = -1

    # -- the beginning ---------------------------------------------------------------------

    async def restore(self, rootref: str = "") -> Namespace[Message]:
        """Make the namespace: with ``rootref``, else as the last checkpoint says, else empty.

        :raises OSError: the content service fails, or hashes in another way
        """
        empty = self._kind.digest(EMPTY_BLOB)
        answer = await self._flux.rpc("content.store", EMPTY_BLOB)
        if answer.data != empty:
            raise rpc_error(errno.EPROTO, "the content service has another hash")
        checkpoint = Checkpoint(rootref) if rootref else await self._last_checkpoint()
        if checkpoint is None:
            checkpoint = Checkpoint(f"{self._kind.name}-{empty.hex()}")
        namespace = self._namespaces.create(
            PRIMARY, os.getuid(), 0, checkpoint.rootref, checkpoint.rootseq
        )
        self._start_timer()
        return namespace

    async def _last_checkpoint(self) -> Checkpoint | None:
        """The latest checkpoint, None if there is none.

        One that cannot be read is an error: to begin empty would overwrite what there was.
        """
        try:
            answer = await self._flux.rpc("content.checkpoint-get", nodeid=0)
        except OSError as exc:
            if exc.errno in _NO_CHECKPOINT:
                return None
            raise
        checkpoints = parse_checkpoints(answer.json.get("value"))
        if not checkpoints:
            return None
        latest = checkpoints[0]
        date = format_timestamp(latest.timestamp) if latest.timestamp else "N/A"
        self._flux.log(LOG_INFO, f"restored KVS from checkpoint on {date}")
        return latest

    # -- the end ---------------------------------------------------------------------------

    async def save(self) -> None:
        """Leave a checkpoint, if there is a backing store.

        :raises OSError: it cannot be written: what was put since the last one will be gone
        """
        self._stop_timer()
        namespace = self._namespaces.get(PRIMARY)
        if namespace is None:
            return
        checkpoint = Checkpoint(namespace.rootref, namespace.rootseq, time.time())
        try:
            await self._flux.rpc(
                "content.checkpoint-put", {"value": checkpoint.to_json()}, nodeid=0
            )
        except OSError as exc:
            if exc.errno != errno.ENOSYS:
                text = f"error saving primary KVS checkpoint: {exc.strerror}"
                self._flux.log(LOG_ERR, text)
                raise

    # -- now and then ----------------------------------------------------------------------

    def set_period(self, period: float) -> None:
        """Checkpoint every ``period`` seconds if there were commits; 0 for never."""
        if period != self._period:
            self._period = period
            self._start_timer()

    def _start_timer(self) -> None:
        self._stop_timer()
        if self._namespaces.get(PRIMARY) is not None and 0 < self._period < float("inf"):
            self._timer = self._flux.loop.call_later(self._period, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        namespace = self._namespaces.get(PRIMARY)
        if namespace is None or not self._flux.connected:
            return
        if namespace.rootseq != self._saved_seq:
            self._saved_seq = namespace.rootseq
            name = f"checkpoint-period.{namespace.rootseq}"
            self._commits.add(namespace, Commit([name], [], SYNC, publish=False))
        self._start_timer()
