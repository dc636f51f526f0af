"""A job that runs, with what it is connected to: the thin part around ExecJob."""

import asyncio
import errno
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.kvs.blobref import HashType
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.modules.job_exec.namespace import Flusher, Guest, PrimaryWriter
from fluxcore.modules.job_exec.port import Start, Timer
from fluxcore.resource.idset import IdSet
from fluxcore.shell.shell import WINDOW
from fluxcore.wire.message import Message

#: Bytes of output that a rank is told of at once: few messages, and never late.
_CREDIT: Final = WINDOW // 4


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all jobs share. ``over`` is told of a job that is released."""

    flux: Flux
    primary: PrimaryWriter
    flusher: Flusher
    hash: HashType
    over: Callable[[int], None]


class RunningJob:
    """Carries out what its :class:`ExecJob` says; ``req`` is the job manager's start request."""

    job: ExecJob

    def __init__(self, around: Surroundings, req: Message, start: Start, r: Mapping[str, Any]):
        self.start = start
        self.released = asyncio.Event()
        self._around = around
        self._flux = around.flux
        self._req = req
        self._r = r
        self._guest: Guest | None = None
        self._environment: Mapping[str, str | None] | None = None
        self._created = False
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._credits: dict[int, int] = {}

    def act(self, function: Callable[[ExecJob, float], None]) -> None:
        """Let something happen to the job, and see to its records."""
        function(self.job, time.time())
        if self._guest is not None:
            self._guest.touch()

    # -- the beginning ---------------------------------------------------------------------

    def make_guest(self) -> Guest:
        """The job's namespace, which may not exist yet."""
        around = self._around
        self._guest = Guest(
            self._flux,
            around.primary,
            around.flusher,
            self.start.id,
            self.job.records,
            self._written,
        )
        return self._guest

    def create(self) -> None:
        """Make the job's namespace."""
        self.job.records.event(time.time(), "init")
        self.make_guest().create(self.start.userid, self._around.hash, self._made)

    def _made(self, error: OSError | None) -> None:
        if error is not None:
            text = f"failed to create guest ns: {error.strerror}"
            self.act(lambda job, now: job.fail(text, now))
            return
        self._created = True
        self._go_on()

    def environment_known(self, environment: Mapping[str, str | None]) -> None:
        """The environment of the job's tasks has been read."""
        self._environment = environment
        self._go_on()

    def _go_on(self) -> None:
        if self._created and (self.job.mock is not None or self._environment is not None):
            self.act(ExecJob.ready)

    # -- what the job says -----------------------------------------------------------------

    def answer(self, kind: str, data: Mapping[str, Any]) -> None:
        """Answer the job manager."""
        self._flux.respond(self._req, {"id": self.start.id, "type": kind, "data": data})

    def start_shells(self) -> None:
        """Start a shell on each rank."""
        jobspec = self.start.jobspec
        attributes = jobspec["attributes"]
        system = {**attributes["system"], "environment": self._environment}
        payload = {
            "id": self.start.id,
            "userid": self.start.userid,
            "jobspec": {**jobspec, "attributes": {**attributes, "system": system}},
            "R": self._r,
        }
        for rank in self.job.shells.ranks:
            self._start_shell(rank, payload, self._load_module)

    def _start_shell(
        self,
        rank: int,
        payload: Mapping[str, Any],
        unserved: Callable[[int, Mapping[str, Any], Message], None],
    ) -> None:
        def reported(answer: Message) -> None:
            if not answer.errnum:
                reports = answer.json["reports"]
                self.act(lambda job, now: job.reports(rank, reports, now))
            elif answer.errnum == errno.ENOSYS:
                unserved(rank, payload, answer)
            elif answer.errnum != errno.ENODATA:
                self._lost(rank, answer)

        self._flux.stream("job-exec.shell", payload, nodeid=rank).then(reported)

    def _load_module(self, rank: int, payload: Mapping[str, Any], refusal: Message) -> None:
        """Load what starts shells on a rank: as in flux-core, rc1 need do so only on rank 0."""

        def loaded(answer: Message) -> None:
            if answer.errnum not in (0, errno.EEXIST):
                self._lost(rank, answer)
            elif self.job.failing:
                self._lost(rank, refusal)
            else:
                self._start_shell(rank, payload, lambda *_: self._lost(rank, refusal))

        if self.job.failing:
            self._lost(rank, refusal)
            return
        wanted = {"path": "job-exec", "args": [], "on_demand": True}
        self._flux.rpc("module.load", wanted, nodeid=rank).then(loaded)

    def _lost(self, rank: int, answer: Message) -> None:
        gone = answer.errnum in (errno.EHOSTUNREACH, errno.ECONNRESET)
        why = None if gone else answer.text or errno.errorcode[answer.errnum]
        self.act(lambda job, now: job.lost(rank, why, now))

    def tell_shells(self, ranks: Iterable[int], kind: str, data: Mapping[str, Any]) -> None:
        """Tell the shells on some ranks something."""
        payload = {"id": self.start.id, "kind": kind, "data": data}
        for rank in ranks:
            self._flux.notify("job-exec.shell-tell", payload, nodeid=rank)

    def _written(self, taken: dict[int, int]) -> None:
        """Output is safe: let those ranks that have had much of it send more."""
        for rank, size in taken.items():
            total = self._credits.get(rank, 0) + size
            if total >= _CREDIT:
                self.tell_shells([rank], "credit", {"size": total})
                total = 0
            self._credits[rank] = total

    def arm(self, timer: Timer, delay: float) -> None:
        """Let time pass."""
        self.disarm(timer)
        self._timers[timer] = self._flux.loop.call_later(delay, self._expired, timer)

    def _expired(self, timer: Timer) -> None:
        del self._timers[timer]
        self.act(lambda job, now: job.expired(timer, now))

    def disarm(self, timer: Timer) -> None:
        """Wait no more."""
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def drain(self, ranks: IdSet, reason: str) -> None:
        """Have ranks drained."""
        payload = {"targets": ranks.encode(), "reason": reason, "mode": "update"}
        self._flux.notify("resource.drain", payload, nodeid=0)

    # -- the end ---------------------------------------------------------------------------

    def finalize(self) -> None:
        """Keep the job's records, then release its resources."""
        if self._guest is None:
            self._release()
        else:
            self._guest.close(self._release)

    def _release(self) -> None:
        self.answer("release", {"ranks": "all", "final": True})
        self._around.over(self.start.id)
        self.released.set()

    async def keep(self) -> None:
        """Keep the records of a job that will be found again."""
        for timer in list(self._timers):
            self.disarm(timer)
        if self._guest is not None:
            await self._guest.keep()
