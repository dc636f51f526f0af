"""The drain events of earlier lives of the instance, in the KVS (CONTRACTS H5, H6)."""

import errno
import math
from collections.abc import Callable
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.job.eventlog import Event, decode_log
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import SYNC, Op, put
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.resource import reslog
from fluxcore.modules.resource.drains import Drains

_CHECKPOINT: Final = "checkpoint.resource"


class DrainHistory:
    """Reads and writes what outlives an instance."""

    def __init__(self, flux: Flux, clock: Callable[[], float]) -> None:
        self._flux = flux
        self._clock = clock

    async def load(self, drains: Drains, keep: float) -> list[Event]:
        """Take up into ``drains`` what was drained; the events that are left in the log.

        Those before the last checkpoint that are older than ``keep`` seconds are removed from it.

        :raises OSError: the KVS cannot be read, or what is there is malformed
        """
        try:
            events = decode_log(await self._value(reslog.KEY) or b"")
            checkpoint = await self._value(_CHECKPOINT)
            since = drains.restore(orjson.loads(checkpoint)) if checkpoint is not None else 0.0
            drains.replay(events, since)
        except ValueError as exc:
            raise rpc_error(errno.EINVAL, f"{reslog.KEY}: {exc}") from None
        oldest = min(since, 0.0 if math.isinf(keep) else self._clock() - keep)
        recent = [event for event in events if event.timestamp >= oldest]
        if len(recent) < len(events):
            log = b"".join([event.encode() for event in recent])
            await self._commit([put(reslog.KEY, log)])
        return recent

    async def save(self, drains: Drains) -> None:
        """Leave a checkpoint; a failure is told in the log."""
        checkpoint = orjson.dumps(drains.checkpoint(self._clock()))
        try:
            await self._commit([put(_CHECKPOINT, checkpoint)], SYNC)
        except OSError as exc:
            self._flux.log(LOG_ERR, f"failed to checkpoint drain state: {exc.strerror}")

    async def _commit(self, ops: list[Op], flags: int = 0) -> None:
        payload: dict[str, Any] = {"namespace": PRIMARY, "flags": flags, "ops": ops}
        await self._flux.rpc("kvs.commit", payload)

    async def _value(self, key: str) -> bytes | None:
        payload = {"key": key, "namespace": PRIMARY, "flags": 0}
        try:
            return val_bytes((await self._flux.rpc("kvs.lookup", payload)).json["val"])
        except FileNotFoundError:
            return None
