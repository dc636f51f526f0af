"""The module: the execution service on rank 0, and on every rank the shells that it asks for."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.job.jobid import f58
from fluxcore.modules.job_exec.coordinator import Coordinator
from fluxcore.modules.job_exec.options import parse
from fluxcore.modules.job_exec.shell_service import ShellService
from fluxcore.modules.resource.local import core_cpus
from fluxcore.shell.runner import Host
from fluxcore.shell.spawn import Spawner
from fluxcore.shell.sweep import Sweeper
from fluxcore.wire.message import Message


class JobExec(Module):
    """Serves job-exec.*."""

    name = "job-exec"
    placement = "loop"
    #: The name that the job manager knows the service by.
    service: ClassVar[str] = "job-exec"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without jobs.

        :raises OSError: EINVAL for a bad option or configuration
        """
        super().__init__(flux, args, conf)
        self._options = parse(self.conf, self.args)
        self._coordinator: Coordinator | None = None
        self._shells: ShellService | None = None

    async def start(self) -> None:
        """Run shells; on rank 0 tell the job manager that jobs can be started."""
        host = await self._host()
        self._shells = ShellService(self.flux, host)
        prefixes = self._shells.bind(self.flux.core)
        if self.rank == 0:
            self._coordinator = Coordinator(self.flux, self._options, lambda: self.debug_flags)
            prefixes += self._coordinator.bind(self.flux.core)
        for prefix in prefixes:
            await self.flux.rpc("event.subscribe", {"topic": prefix})
        if self.rank == 0:
            await self.flux.rpc("job-manager.exec-hello", {"service": self.service})
            host.spawner.launch_soon()

    async def _host(self) -> Host:
        level = int(await self._attr("instance-level", "0"))
        preput = {"flux.instance-level": str(level + 1)}
        hint = await self._attr("tbon.interface-hint", "")
        if hint:
            preput["flux.tbon-interface-hint"] = hint
        return Host(
            self.flux.loop,
            Spawner(self.flux.loop, partial(self.flux.log, LOG_ERR)),
            Sweeper(self.flux.loop),
            self.rank,
            await self.flux.attr("rundir"),
            await self._attr("local-uri", ""),
            await self._attr("jobid-path", "/"),
            await self._attr("hostname", os.uname().nodename),
            core_cpus() if hasattr(os, "sched_setaffinity") else [],
            preput,
        )

    async def _attr(self, name: str, default: str) -> str:
        try:
            return await self.flux.attr(name)
        except FileNotFoundError:
            return default

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed [exec] table, for the jobs that are started from now on."""
        self._options = parse(conf, self.args)
        if self._coordinator is not None:
            self._coordinator.policy = self._options

    async def stop(self) -> None:
        """End the jobs that run, and kill the tasks that are here."""
        if self._coordinator is not None:
            await self._coordinator.stop()
        if self._shells is not None:
            await self._shells.stop()

    @method("job-exec.disconnect")
    def disconnect(self, req: Message) -> Reply:
        """A client is gone; perhaps it was the execution service on rank 0."""
        if self._shells is not None:
            self._shells.disconnect(req)
        return DEFERRED

    def stats(self) -> dict[str, Any]:
        """What job-exec.stats-get answers."""
        jobs = self._coordinator.jobs if self._coordinator is not None else {}
        return {
            **self._options.to_json(),
            "jobs": {f58(jobid): running.job.stats() for jobid, running in jobs.items()},
            "shells": len(self._shells) if self._shells is not None else 0,
        }
