"""The job manager: what all jobs are doing, and what happens to them next (CONTRACTS D4-D10).

The work is done by :class:`~.machine.Machine`, which has no IO; the services here turn requests
into its events, and :class:`~.actions.Actions` turns what it asks for into messages.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.module import Module, Reply, method, on_event
from fluxcore.kvs.key import PRIMARY
from fluxcore.modules.job_manager.actions import Actions
from fluxcore.modules.job_manager.batch import EventBatch
from fluxcore.modules.job_manager.change_service import ChangeService
from fluxcore.modules.job_manager.checkpoint import checkpoint_op
from fluxcore.modules.job_manager.exceptions import ExceptionService
from fluxcore.modules.job_manager.exec_service import ExecService
from fluxcore.modules.job_manager.journal import Journal
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.modules.job_manager.purge_service import Limits, PurgeService
from fluxcore.modules.job_manager.query_service import QueryService
from fluxcore.modules.job_manager.queue_service import QueueService
from fluxcore.modules.job_manager.restart import Restart
from fluxcore.modules.job_manager.sched_service import SchedService
from fluxcore.modules.job_manager.submit_service import SubmitService
from fluxcore.modules.job_manager.update_service import UpdateService
from fluxcore.modules.job_manager.wait_service import WaitService
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_number


class JobManager(Module):
    """Serves job-manager.*, on rank 0."""

    name = "job-manager"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Put the parts together; there are no jobs yet."""
        super().__init__(flux, args, conf)
        actions = self._actions = Actions(flux)
        machine = self.machine = Machine(actions, time.time, os.getuid())
        batch = self._batch = EventBatch(flux, self.quit_with)
        self._journal = Journal(flux, machine)
        self._waiting = WaitService(flux, machine, batch)
        self._sched = SchedService(flux, machine)
        self._exec = ExecService(flux, machine, actions)
        self._updates = UpdateService(flux, machine)
        self._purging = PurgeService(flux, machine)
        actions.connect(machine, batch, self._journal, self._waiting.waits)
        actions.on_calm = self._waiting.check
        for part in (
            self._journal,
            self._waiting,
            self._sched,
            self._exec,
            self._updates,
            self._purging,
            SubmitService(flux, machine, batch),
            ExceptionService(flux, machine),
            ChangeService(machine),
            QueueService(machine),
            QueryService(machine, self._waiting.waits),
        ):
            part.bind(flux.core)

    def quit_with(self, exc: OSError) -> None:
        """Events could not be written: there is no going on without them."""
        self.quit(exc)

    async def start(self) -> None:
        """Take up the jobs that are in the KVS.

        :raises OSError: they cannot be read, or the configuration is wrong
        """
        await self.configure(self.conf)
        await Restart(self.flux, self.machine).run()

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed ``[queues]`` or ``[job-manager]`` table."""
        limits = Limits.from_conf(conf)
        self.machine.queues.configure(conf.get("queues", {}))
        self._purging.limits = limits

    async def stop(self) -> None:
        """Write what is to be written, and let nobody wait in vain."""
        self._actions.stop()
        self._waiting.end()
        self._updates.stop()
        await self._batch.finish()
        self._journal.end()
        ops = [checkpoint_op(self.machine)]
        await self.flux.rpc("kvs.commit", {"namespace": PRIMARY, "flags": 0, "ops": ops})

    # -- the whole -------------------------------------------------------------------------

    @on_event("heartbeat.pulse")
    def pulse(self, _event: Message) -> None:
        """Purge what is configured to be."""
        self._purging.pulse()

    @method("job-manager.disconnect")
    def disconnect(self, req: Message) -> Reply:
        """A client is gone; it may have been any of these."""
        self._sched.disconnect(req)
        self._exec.disconnect(req)
        self._waiting.disconnect(req)
        self._journal.disconnect(req)
        return None

    @method("job-manager.set-batch-timeout")
    def set_batch_timeout(self, req: Message) -> Reply:
        """``{timeout}``: seconds from one commit of events to the next, unless somebody waits."""
        self._batch.timeout = need_number(req.json, "timeout")
        return None

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What job-manager.stats-get answers."""
        return {
            "journal": self._journal.stats(),
            "active_jobs": len(self.machine.active),
            "inactive_jobs": len(self.machine.inactive),
            "max_jobid": self.machine.max_jobid,
            "housekeeping": {"running": {}, "config": {"release-after": -1.0, "command": ""}},
        }
