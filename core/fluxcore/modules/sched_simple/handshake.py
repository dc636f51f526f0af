"""How a scheduler begins: resources, who has which of them, ready (RFC 27, CONTRACTS E0)."""

import asyncio
import errno
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO, SEVERITIES
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.sched_simple.options import Options
from fluxcore.modules.sched_simple.scheduler import Scheduler
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_number, opt_str


class Handshake:
    """Gets a scheduler its resources and keeps them up to date.

    ``changed`` is called after each change.
    """

    def __init__(
        self, flux: Flux, log: Callable[[int, str], None], changed: Callable[[], None]
    ) -> None:
        self._flux = flux
        self._log = log
        self._changed = changed
        self._scheduler: Scheduler | None = None
        self._found: asyncio.Future[Scheduler] = flux.loop.create_future()

    # -- resources -------------------------------------------------------------------------

    async def scheduler(self, lost: Callable[[OSError], None]) -> Scheduler:
        """A scheduler for the instance's resources, as soon as they are known.

        ``lost`` is told when they are not followed any more.

        :raises OSError: they are not given
        """
        self._lost = lost
        self._flux.stream("resource.acquire").then(self._acquired)
        return await self._found

    def _acquired(self, answer: Message) -> None:
        """resource.acquire: the resources, then what changes."""
        if answer.errnum:
            self._end(rpc_error(answer.errnum, answer.text))
            return
        if self._scheduler is None:
            try:
                inventory = ResourceSet.from_json(answer.json.get("resources"))
            except ValueError as exc:
                self._end(rpc_error(errno.EINVAL, str(exc)))
                return
            self._scheduler = Scheduler(inventory)
            self._found.set_result(self._scheduler)
        self._update(self._scheduler, answer.json)

    def _end(self, exc: OSError) -> None:
        if self._found.done():
            self._lost(exc)
        else:
            self._found.set_exception(exc)

    def _update(self, scheduler: Scheduler, update: Mapping[str, Any]) -> None:
        scheduler.pool.mark_up(_idset(update, "up"))
        scheduler.pool.mark_down(_idset(update, "down"))
        if "expiration" in update and need_number(update, "expiration") >= 0:
            scheduler.pool.expiration = need_number(update, "expiration")
            text = f"resource expiration updated to {scheduler.pool.expiration:.2f}"
            self._log(LOG_INFO, text)
        scheduler.pool.remove(_idset(update, "shrink"))
        self._changed()

    # -- jobs ------------------------------------------------------------------------------

    async def hello(self, scheduler: Scheduler) -> None:
        """Learn which jobs have what; one that cannot keep it ends.

        :raises OSError: the job manager or the KVS does not answer
        """
        async for answer in self._flux.stream("job-manager.sched-hello", {"partial-ok": True}):
            jobid = need_int(answer.json, "id")
            try:
                rset = ResourceSet.from_json(await self._r_of(jobid))
                freed = _idset(answer.json, "free")
                scheduler.hello(jobid, rset.subset(rset.ranks - freed) if freed else rset)
            except FileNotFoundError:
                self._log(LOG_ERR, f"hello: failed to look up R for job {f58(jobid)}")
            except ValueError as exc:
                self._cannot_keep(jobid, exc)
            else:
                self._log(LOG_DEBUG, f"hello: id={f58(jobid)} {_describe(answer.json)}")

    def _cannot_keep(self, jobid: int, why: ValueError) -> None:
        self._log(LOG_ERR, f"hello callback failed for job {f58(jobid)}: {why}")
        self._log(LOG_ERR, f"raising fatal exception on running job id={f58(jobid)}")
        exception = {
            "id": jobid,
            "type": "scheduler-restart",
            "severity": 0,
            "note": "failed to reallocate R for running job",
        }
        self._flux.notify("job-manager.raise", exception)

    async def _r_of(self, jobid: int) -> object:
        payload = {"key": kvs_key(jobid, "R"), "namespace": PRIMARY, "flags": 0}
        value = val_bytes((await self._flux.rpc("kvs.lookup", payload)).json["val"])
        return orjson.loads(value)

    async def ready(self, options: Options) -> None:
        """Ask for requests.

        :raises OSError: the job manager does not answer
        """
        depth = options.queue_depth
        mode = {"mode": "limited", "limit": depth} if depth else {"mode": "unlimited"}
        await self._flux.rpc("job-manager.sched-ready", mode)
        assert self._scheduler is not None
        self._log(
            LOG_INFO,
            f"ready: queue-depth={options.depth_text} "
            f"log-level={SEVERITIES[options.log_level]} pool-class=Rv1Pool Rv1 "
            f"{self._scheduler.pool.inventory.summary()}",
        )


def _idset(payload: Mapping[str, Any], key: str) -> IdSet:
    try:
        return IdSet.decode(opt_str(payload, key) or "")
    except ValueError:
        raise PayloadError from None


def _describe(job: Mapping[str, Any]) -> str:
    return (
        f"priority={job.get('priority')} userid={job.get('userid')} "
        f"t_submit={need_number(job, 't_submit'):.1f}"
    )
