"""Forgetting inactive jobs: job-manager.purge, and by configuration (CONTRACTS D10).

A job is purged because it ended long ago (``age``, seconds) or because there are too many
(``number``); the first to end go first.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job.fsd import parse_fsd
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import unlink
from fluxcore.modules.job_manager.checkpoint import checkpoint_op
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_bool, need_int, need_number

_MAX_BATCH: Final = 100
_UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """Which inactive jobs need not be kept; -1 is no limit."""

    age: float = _UNLIMITED
    number: int = _UNLIMITED

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> "Limits":
        """Those of the ``[job-manager]`` table.

        :raises OSError: EINVAL and which is wrong
        """
        table = conf.get("job-manager", {})
        age, number = table.get("inactive-age-limit"), table.get("inactive-num-limit", _UNLIMITED)
        try:
            seconds = _UNLIMITED if age is None else parse_fsd(age)
        except (ValueError, AttributeError):
            text = "job-manager.inactive-age-limit: invalid FSD"
            raise rpc_error(errno.EINVAL, text) from None
        if type(number) is not int or number < _UNLIMITED:
            raise rpc_error(errno.EINVAL, "job-manager.inactive-num-limit: must be >= 0")
        return cls(seconds, number)

    def exceeded(self, age: float, number: int) -> bool:
        """True if a job of that age, the oldest of so many, may go."""
        return (self.age != _UNLIMITED and age > self.age) or (
            self.number != _UNLIMITED and number > self.number
        )

    @property
    def none(self) -> bool:
        """True if all jobs are kept."""
        return self == Limits()


class PurgeService(Service):
    """Removes inactive jobs from memory and from the KVS."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine
        self.limits = Limits()
        self._purging = False

    def _eligible(self, limits: Limits) -> Iterator[Job]:
        now, number = self._machine.clock(), len(self._machine.inactive)
        for job in self._machine.inactive.values():
            if not limits.exceeded(now - job.clean_time, number):
                return
            yield job
            number -= 1

    @method("job-manager.purge")
    def purge(self, req: Message) -> Reply:
        """``{age_limit, num_limit, batch, force}`` -> ``{count}``, without force how many would."""
        age, number = need_number(req.json, "age_limit"), need_int(req.json, "num_limit")
        batch, force = need_int(req.json, "batch"), need_bool(req.json, "force")
        if age != _UNLIMITED and age < 0:
            raise rpc_error(errno.EINVAL, "if set, age limit must be >= 0")
        if number != _UNLIMITED and number < 0:
            raise rpc_error(errno.EINVAL, "if set, num limit must be >= 0")
        if not 1 <= batch <= _MAX_BATCH:
            raise rpc_error(errno.EINVAL, f"batch must be >= 1 and <= {_MAX_BATCH}")
        eligible = self._eligible(Limits(age, number))
        if not force:
            return {"count": sum(1 for _job in eligible)}
        return self._purge_for(req, list(islice(eligible, batch)))

    @method("job-manager.purge-id")
    def purge_id(self, req: Message) -> Reply:
        """``{id, force}`` -> ``{count}``."""
        jobid, force = need_int(req.json, "id"), req.json.get("force")
        if not isinstance(force, int):
            raise PayloadError
        job = self._machine.inactive.get(jobid)
        if job is None and jobid in self._machine.active:
            raise rpc_error(errno.EINVAL, "cannot purge active job")
        if job is None:
            raise rpc_error(errno.ENOENT, "id not found")
        return self._purge_for(req, [job]) if force else {"count": 1}

    def _purge_for(self, req: Message, jobs: list[Job]) -> Reply:
        if not jobs:
            return {"count": 0}

        def done(answer: Message) -> None:
            if answer.errnum:
                self._flux.respond_error(req, answer.errnum, answer.text)
            else:
                self._flux.respond(req, {"count": len(jobs)})

        self._purge(jobs, done)
        return DEFERRED

    def _purge(self, jobs: list[Job], done: Callable[[Message], None]) -> None:
        machine = self._machine
        for job in jobs:
            del machine.inactive[job.id]
            machine.history.remove(job)
        ops = [unlink(kvs_key(job.id)) for job in jobs]
        if any(job.id == machine.max_jobid for job in jobs):
            # No id may be given twice, so the greatest is remembered.
            ops.append(checkpoint_op(machine))
        self._flux.publish("job-purge-inactive", {"jobs": [job.id for job in jobs]})
        payload = {"namespace": PRIMARY, "flags": 0, "ops": ops}
        self._flux.rpc("kvs.commit", payload).then(done)

    def pulse(self) -> None:
        """Purge what exceeds the configured limits, a batch at each heartbeat."""
        if self._purging or self.limits.none:
            return
        jobs = list(islice(self._eligible(self.limits), _MAX_BATCH))
        if jobs:
            self._purging = True
            self._purge(jobs, lambda answer: self._purged(len(jobs), answer))

    def _purged(self, count: int, answer: Message) -> None:
        self._purging = False
        if answer.errnum:
            self._flux.log(LOG_ERR, f"error committing purge KVS transaction: {answer.text or ''}")
        else:
            self._flux.log(LOG_DEBUG, f"purged {count} inactive jobs")
