"""Waiting: for a job to end, for all to end, for none to run (CONTRACTS D8, D10)."""

import errno
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.requests import RequestList, goes_with
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.job_manager.batch import EventBatch
from fluxcore.modules.job_manager.exits import describe_end
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.modules.job_manager.waits import Waits
from fluxcore.wire.message import Message, Payload

#: The id that stands for any job, as signed and as unsigned number.
_ANY: Final = (-1, 2**64 - 1)
_UNLOADING: Final = "job-manager is unloading"


class WaitService(Service):
    """Keeps those who wait."""

    def __init__(self, flux: Flux, machine: Machine, batch: EventBatch) -> None:
        self._flux = flux
        self._machine = machine
        self._batch = batch
        self.waits: Waits[Message] = Waits(self._ended, flux.core.respond_exception)
        self._draining = RequestList(flux)
        self._idling = RequestList(flux)

    @method("job-manager.wait")
    def wait(self, req: Message) -> Reply:
        """``{id}`` -> ``{id, success, errstr}``; id -1 is any."""
        jobid = req.json.get("id") if req.has_payload else None
        if type(jobid) is not int:
            raise rpc_error(errno.EPROTO, "malformed wait request")
        if jobid in _ANY:
            self.waits.wait_any(req)
        else:
            self.waits.wait(req, self._machine.find(jobid) or self.waits.zombies.get(jobid))
        return DEFERRED

    def _ended(self, req: Message, job: Job) -> None:
        success, text = describe_end(job)
        self._answer(req, {"id": job.id, "success": success, "errstr": text})

    @method("job-manager.drain")
    def drain(self, req: Message) -> Reply:
        """Answered when there is no active job."""
        self._draining.add(req)
        self.check()
        return DEFERRED

    @method("job-manager.idle")
    def idle(self, req: Message) -> Reply:
        """-> ``{pending}`` when no job runs and the scheduler has none to decide about."""
        self._idling.add(req)
        self.check()
        return DEFERRED

    def check(self) -> None:
        """Answer those who wait for less to be going on."""
        machine = self._machine
        if self._draining and not machine.active:
            self._answer_all(self._draining, None)
        if self._idling and not machine.running and not machine.allocation.sent:
            self._answer_all(self._idling, {"pending": len(machine.active)})

    def _answer_all(self, requests: RequestList, payload: Payload) -> None:
        for req in requests:
            requests.discard(req)
            self._answer(req, payload)

    def _answer(self, req: Message, payload: Payload) -> None:
        """Answer once what has been posted is written: they may look into the KVS next."""
        self._batch.then(lambda: self._flux.respond(req, payload))

    def disconnect(self, req: Message) -> None:
        """A client is gone."""
        self.waits.discard(lambda waiting: goes_with(waiting, req))
        self._draining.disconnect(req)
        self._idling.disconnect(req)

    def end(self) -> None:
        """Fail all who wait."""
        for req in self.waits.requests():
            self._flux.respond_error(req, errno.ENOSYS, _UNLOADING)
        self._draining.end(errno.ENOSYS, _UNLOADING)
        self._idling.end(errno.ENOSYS, _UNLOADING)
