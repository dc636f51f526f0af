"""Finding the jobs of an earlier life of the instance in the KVS (RFC 16)."""

import asyncio
import errno
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO
from fluxcore.job import jobid as ids
from fluxcore.job.eventlog import decode_log
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import put_treeobj, unlink
from fluxcore.kvs.treeobj import Treeobj, val_bytes
from fluxcore.modules.job_manager import checkpoint
from fluxcore.modules.job_manager.intake import Intake, replay
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine

_DIR: Final = "job"
_LEVELS: Final = 4
_READDIR: Final = 1
_TREEOBJ: Final = 16
#: What a lookup fails with where somebody has put something else than a job. Any other failure
#: is the KVS's own, and a reason not to begin.
_NOT_A_JOB: Final = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP})
#: How many jobs are looked up at a time.
_WINDOW: Final = 64


class Restart:
    """Rebuilds the jobs of a machine."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine

    async def run(self) -> None:
        """Load all jobs and the checkpoint, and go on with the jobs that are active.

        What cannot be read is put aside under job-lost+found, with the reason in the log.

        :raises OSError: the KVS cannot be read
        """
        jobs: list[Job] = []
        window: list[str] = []
        async for key in self._keys(_DIR, _LEVELS):
            window.append(key)
            if len(window) == _WINDOW:
                jobs += await self._load_all(window)
                window = []
        jobs += await self._load_all(window)
        self._flux.log(LOG_INFO, f"restart: {len(jobs)} jobs")
        await self._restore_checkpoint()
        Intake(self._machine).load(jobs)
        self._flux.log(LOG_INFO, f"restart: {self._machine.running} running jobs")
        self._flux.log(LOG_DEBUG, f"restart: max_jobid={ids.f58(self._machine.max_jobid)}")

    async def _restore_checkpoint(self) -> None:
        try:
            text = await self._value(checkpoint.KEY)
        except FileNotFoundError:
            self._flux.log(LOG_INFO, f"restart: {checkpoint.KEY} not found")
            return
        try:
            checkpoint.restore(self._machine, orjson.loads(text))
        except (ValueError, AttributeError):
            raise rpc_error(errno.EINVAL, f"restart: {checkpoint.KEY} is malformed") from None

    # -- the jobs --------------------------------------------------------------------------

    async def _keys(self, key: str, levels: int) -> AsyncIterator[str]:
        """The directories ``levels`` below ``key``: those of the jobs."""
        for name in sorted(await self._directories(key)):
            below = f"{key}.{name}"
            if levels == 1:
                yield below
                continue
            async for deeper in self._keys(below, levels - 1):
                yield deeper

    async def _directories(self, key: str) -> list[str]:
        try:
            entries: dict[str, Treeobj] = (await self._lookup(key, _READDIR))["data"]
        except FileNotFoundError:
            return []
        return [name for name, entry in entries.items() if entry["type"] in ("dir", "dirref")]

    async def _load_all(self, keys: list[str]) -> list[Job]:
        jobs = await asyncio.gather(*[self._load(key) for key in keys])
        return [job for job in jobs if job is not None]

    async def _load(self, key: str) -> Job | None:
        try:
            jobid = ids.parse(key)
            eventlog, jobspec = await asyncio.gather(
                self._value(f"{key}.eventlog"), self._value(f"{key}.jobspec")
            )
            r = await self._r(key)
            events = [event.to_object() for event in decode_log(eventlog)]
            return replay(jobid, events, _object(jobspec, "jobspec"), r, eventlog)
        except (OSError, ValueError) as exc:
            if isinstance(exc, OSError) and exc.errno not in _NOT_A_JOB:
                raise
            why = f"lookup {key}: {exc.strerror}" if isinstance(exc, OSError) else str(exc)
            self._flux.log(LOG_ERR, f"job {key} not replayed: {why}")
            await self._put_aside(key)
            return None

    async def _r(self, key: str) -> dict[str, Any] | None:
        try:
            return _object(await self._value(f"{key}.R"), "R")
        except FileNotFoundError:
            return None

    async def _put_aside(self, key: str) -> None:
        jobdir = await self._lookup(key, _READDIR | _TREEOBJ)
        try:
            new = f"job-lost+found.job.{ids.f58plain(ids.parse(key))}"
        except ValueError:  # no job was ever there
            new = f"job-lost+found.{key}"
        ops = [put_treeobj(new, jobdir), unlink(key)]
        await self._flux.rpc("kvs.commit", {"namespace": PRIMARY, "flags": 0, "ops": ops})

    # -- the KVS ---------------------------------------------------------------------------

    async def _lookup(self, key: str, flags: int = 0) -> Treeobj:
        payload = {"key": key, "namespace": PRIMARY, "flags": flags}
        answer = await self._flux.rpc("kvs.lookup", payload)
        found: Treeobj = answer.json["val"]
        return found

    async def _value(self, key: str) -> bytes:
        return val_bytes(await self._lookup(key))


def _object(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object that ``text`` is.

    :raises ValueError: it is none
    """
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value
