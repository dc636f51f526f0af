"""New jobs, from job-ingest (CONTRACTS D2)."""

from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.job_manager.batch import EventBatch
from fluxcore.modules.job_manager.intake import Intake
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_list


class SubmitService(Service):
    """Takes up jobs whose data is in the KVS."""

    def __init__(self, flux: Flux, machine: Machine, batch: EventBatch) -> None:
        self._flux = flux
        self._batch = batch
        self._intake = Intake(machine)

    @method("job-manager.submit")
    def submit(self, req: Message) -> Reply:
        """``{jobs}`` -> ``{errors}``, pairs of an id and a text.

        It is answered when the submit events are in the KVS: a user who is told an id can
        count on it.
        """
        errors: list[list[Any]] = []
        for entry in need_list(req.json, "jobs"):
            if not isinstance(entry, dict):
                raise PayloadError
            job, refusal = self._intake.submit(entry)
            if refusal is not None:
                errors.append([job.id, refusal])
        self._batch.then(lambda: self._flux.respond(req, {"errors": errors}))
        return DEFERRED
