"""The world as the machine of the job manager sees it, for tests: it keeps what it is asked."""

from collections.abc import Mapping
from typing import Any

from fluxcore.modules.job_manager.intake import Intake
from fluxcore.modules.job_manager.job import EventObject, Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.modules.job_manager.waits import Waits

OWNER = 100


class World:
    """Records effects; a scheduler and an execution service that answer when they are told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.machine = Machine(self, self.clock, OWNER)
        self.intake = Intake(self.machine)
        self.waits: Waits[str] = Waits(self._answer, self._refuse)
        self.names: dict[int, list[str]] = {}
        self.unwritten: list[Job] = []
        self.asked: dict[int, int] = {}
        self.called_back: set[int] = set()
        self.owned: dict[int, Mapping[str, Any]] = {}
        self.started: dict[int, bool] = {}
        self.exceptions: list[tuple[int, Mapping[str, Any]]] = []
        self.expirations: list[tuple[int, float]] = []
        self.alarms: list[tuple[Job, float, str]] = []
        self.answers: list[tuple[str, int]] = []
        self.refused: list[tuple[str, str]] = []
        self.logged: list[str] = []
        self.alloc_planned = False
        self.calmed = 0
        self._resting = True

    def clock(self) -> float:
        self.now += 1.0
        return self.now

    # -- Effects -----------------------------------------------------------------------------

    def posted(self, job: Job, event: EventObject, line: bytes | None) -> None:
        self.names.setdefault(job.id, []).append(event["name"])
        assert (line is None) == (event["name"] in ("annotations", "invalidate"))

    def accepted(self, job: Job) -> None:
        self.waits.active(job)

    def write(self, job: Job) -> None:
        self.unwritten.append(job)

    def withdraw(self, job: Job) -> None:
        assert job not in self.unwritten

    def plan_alloc(self) -> None:
        self.alloc_planned = True

    def alloc(self, job: Job) -> None:
        assert job.id not in self.asked, "asked for twice"
        assert job.id not in self.owned
        self.asked[job.id] = job.priority

    def cancel_alloc(self, job: Job) -> None:
        assert job.id not in self.called_back, "called back twice"
        self.called_back.add(job.id)

    def free(self, jobid: int, r: Mapping[str, Any]) -> None:
        assert self.owned.pop(jobid) == r, "freed what it does not have"

    def start(self, job: Job) -> None:
        assert job.id not in self.started, "started twice"
        assert job.id in self.owned
        self.started[job.id] = job.started

    def expire(self, job: Job, expiration: float) -> None:
        self.expirations.append((job.id, expiration))

    def raised(self, job: Job, context: Mapping[str, Any]) -> None:
        self.exceptions.append((job.id, context))

    def wake(self, job: Job, when: float, description: str) -> None:
        self.alarms.append((job, when, description))

    def inactive(self, job: Job) -> None:
        self.waits.inactive(job)

    def calm(self) -> None:
        self.calmed += 1

    def log(self, level: int, text: str) -> None:
        self.logged.append(text)

    def rest(self) -> None:
        """Nothing is carried out by itself here."""

    def _answer(self, request: str, job: Job) -> None:
        self.answers.append((request, job.id))

    def _refuse(self, request: str, exc: OSError) -> None:
        self.refused.append((request, str(exc.strerror)))

    # -- what the world does ------------------------------------------------------------------

    def submit(
        self,
        jobid: int,
        *,
        userid: int = OWNER,
        urgency: int = 16,
        flags: int = 0,
        **system: Any,
    ) -> str | None:
        """Submit a job; why it is refused."""
        entry = {
            "id": jobid,
            "userid": userid,
            "urgency": urgency,
            "flags": flags,
            "t_submit": self.clock(),
            "jobspec": jobspec(**system),
        }
        return self.intake.submit(entry)[1]

    def write_all(self) -> None:
        """The KVS has taken all that was posted."""
        jobs, self.unwritten = self.unwritten, []
        for job in jobs:
            self.machine.written(job)

    def turn(self) -> None:
        """A loop turn ends."""
        if self.alloc_planned:
            self.alloc_planned = False
            self.machine.allocation.send()

    def grant(self, jobid: int) -> None:
        """The scheduler gives a job what it asks for."""
        del self.asked[jobid]
        self.called_back.discard(jobid)
        r = {"version": 1, "execution": {"starttime": self.now, "of": jobid}}
        self.owned[jobid] = r
        annotations = {"sched": {"resource_summary": "rank0/core0"}}
        self.machine.allocation.succeeded(jobid, {**r, "scheduling": {"x": 1}}, annotations)

    def take_back(self) -> None:
        """The scheduler lets go what was called back."""
        for jobid in sorted(self.called_back):
            self.asked.pop(jobid, None)
            self.called_back.discard(jobid)
            self.machine.allocation.cancelled(jobid)

    def finish(self, jobid: int, status: int = 0) -> None:
        """A job runs to its end."""
        job = self.machine.active[jobid]
        if not job.started:
            self.machine.post(job, "start")
        self.machine.post(job, "finish", {"status": status})
        self.release(jobid)

    def release(self, jobid: int) -> None:
        """The execution service has nothing to do with a job any more."""
        job = self.machine.active[jobid]
        del self.started[jobid]
        job.start_pending = False
        self.machine.post(job, "release", {"ranks": "all", "final": True})

    def settle(self) -> None:
        """Let everything happen that can, with a scheduler that gives to all."""
        while True:
            self.write_all()
            self.turn()
            self.take_back()
            if not (self.asked or self.alloc_planned or self.unwritten):
                return
            for jobid in list(self.asked):
                self.grant(jobid)

    def run(self, jobid: int, status: int = 0) -> None:
        """Let a submitted job run to its end."""
        self.settle()
        self.finish(jobid, status)


def jobspec(**system: Any) -> dict[str, Any]:
    """A jobspec for one core."""
    return {
        "version": 1,
        "resources": [
            {"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}
        ],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, **system}},
    }
