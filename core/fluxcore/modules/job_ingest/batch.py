"""Jobs that are submitted together: one commit of their data, one word to the job manager."""

import asyncio
import errno

from fluxcore.handle.aio import Flux
from fluxcore.handle.calls import Call
from fluxcore.handle.logline import LOG_ERR
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import Op, unlink
from fluxcore.modules.job_ingest.submission import Submission
from fluxcore.wire.message import Message


class Batch:
    """Submissions and the ids they were given; :meth:`send` answers each.

    The data of jobs that the job manager refuses is removed again.
    """

    def __init__(self, flux: Flux) -> None:
        self._flux = flux
        self._jobs: dict[int, Submission] = {}
        #: Done when all have been answered.
        self.answered: asyncio.Future[None] = flux.loop.create_future()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, jobid: int, submission: Submission) -> None:
        """Add a job."""
        self._jobs[jobid] = submission

    def _commit(self, ops: list[Op]) -> Call:
        payload = {"namespace": PRIMARY, "flags": 0, "ops": ops}
        return self._flux.rpc("kvs.commit", payload)

    def send(self) -> None:
        """Put them into the KVS and tell the job manager."""
        ops = [op for jobid, job in self._jobs.items() for op in job.ops(jobid)]
        self._commit(ops).then(self._committed)

    def _committed(self, answer: Message) -> None:
        if answer.errnum:
            self._fail(answer.errnum, "KVS commit failed")
            self._remove([])
            return
        jobs = [job.to_json(jobid) for jobid, job in self._jobs.items()]
        self._flux.rpc("job-manager.submit", {"jobs": jobs}).then(self._announced)

    def _announced(self, answer: Message) -> None:
        if answer.errnum:
            self._fail(answer.errnum, answer.text)
            self._remove(list(self._jobs))
            return
        errors: dict[int, str] = dict(answer.json.get("errors", ()))
        for jobid, job in self._jobs.items():
            if jobid in errors:
                self._flux.respond_error(job.req, errno.EINVAL, errors[jobid])
            else:
                self._flux.respond(job.req, {"id": jobid})
        self._remove(list(errors))

    def _fail(self, errnum: int, text: str | None) -> None:
        for job in self._jobs.values():
            self._flux.respond_error(job.req, errnum, text)

    def _remove(self, jobids: list[int]) -> None:
        if jobids:
            ops = [unlink(kvs_key(jobid)) for jobid in jobids]
            self._commit(ops).then(self._removed)
        else:
            self._end()

    def _removed(self, answer: Message) -> None:
        if answer.errnum:
            self._flux.log(LOG_ERR, "batch cleanup: KVS commit failed")
        self._end()

    def _end(self) -> None:
        if not self.answered.done():
            self.answered.set_result(None)
