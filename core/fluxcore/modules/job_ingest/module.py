"""The job-ingest service, on every rank.

A jobspec is unwrapped and checked here, in the module, and gets its id here; what comes in one loop
turn goes on together. Ids are made on every rank without asking anybody (RFC 19): each rank has its
own generator number, and all begin after the greatest id that there was.
"""

import asyncio
import errno
import os
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.job.jobid import FluidGenerator, timestamp
from fluxcore.job.jobspec import Jobspec, validate
from fluxcore.modules.job_ingest.batch import Batch
from fluxcore.modules.job_ingest.hosts import check_hosts
from fluxcore.modules.job_ingest.options import parse_options
from fluxcore.modules.job_ingest.submission import Submission
from fluxcore.resource.hostlist import Hostlist
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int


class JobIngest(Module):
    """Serves job-ingest.*."""

    name = "job-ingest"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without a generator: nothing can be submitted before :meth:`start`.

        :raises OSError: EINVAL for a bad argument or configuration
        """
        super().__init__(flux, args, conf)
        self._options = parse_options(self.args, self.conf)
        self._generator: FluidGenerator | None = None
        self._batch: Batch | None = None
        self._sent: set[asyncio.Future[None]] = set()
        self._count = 0

    async def start(self) -> None:
        """Have the generator begin after all ids that there are.

        :raises OSError: the job manager, or rank 0's job-ingest, is not there
        """
        if self.rank > self._options.max_generator:
            self.flux.log(LOG_DEBUG, "no generator number is left: requests go upstream")
            self.quit(None)
            return
        if self.rank == 0:
            info = await self.flux.rpc("job-manager.getinfo", nodeid=0)
            first = timestamp(need_int(info.json, "max_jobid")) + 1
        else:
            info = await self.flux.rpc("job-ingest.getinfo", nodeid=0)
            first = need_int(info.json, "timestamp")
        self._generator = FluidGenerator(self.rank, time.monotonic_ns, first)
        self.flux.log(LOG_DEBUG, f"fluid ts={first}ms")

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed ``[ingest]`` table."""
        self._options = parse_options(self.args, conf)

    async def stop(self) -> None:
        """Take no more, and send on what was taken."""
        self._generator = None
        self._flush()
        for answered in list(self._sent):
            await answered

    @method("job-ingest.getinfo")
    def getinfo(self, _req: Message) -> Reply:
        """-> ``{timestamp}``, that of the next id."""
        if self._generator is None:
            raise rpc_error(errno.ENOSYS)
        return {"timestamp": self._generator.timestamp()}

    @method("job-ingest.submit", role=ROLE_USER)
    def submit(self, req: Message) -> Reply:
        """``{J, urgency, flags}`` -> ``{id}``."""
        if self._generator is None:
            raise rpc_error(errno.ENOSYS)
        submission = Submission.of(req, self._validate if self._options.validate else None)
        if req.userid == 0 and os.getuid() and not self._options.allow_root:
            raise rpc_error(errno.EINVAL, "submission of jobs as user root not supported")
        if self._batch is None:
            self._batch = Batch(self.flux)
            self.flux.loop.call_soon(self._flush)
        self._batch.add(self._generator.generate(), submission)
        self._count += 1
        if len(self._batch) == self._options.batch_count:
            self._flush()
        return DEFERRED

    def _validate(self, jobspec: Jobspec) -> None:
        validate(jobspec)
        check_hosts(jobspec, self._hosts)

    @cached_property
    def _hosts(self) -> Hostlist:
        return Hostlist.decode(self.flux.cached_attr("hostlist"))

    def _flush(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and self.flux.connected:
            self._sent.add(batch.answered)
            batch.answered.add_done_callback(self._sent.discard)
            batch.send()

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What job-ingest.stats-get answers."""
        return {"pipeline": {"submitted": self._count}}
