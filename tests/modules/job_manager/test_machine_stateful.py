"""Any order of things that users, the scheduler and the execution service may do."""

import random
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fluxcore.job import states
from fluxcore.modules.job_manager.invariants import validate_state
from fluxcore.modules.job_manager.job import EventError, Job
from support.job_world import OWNER, World

_PICK = st.integers(min_value=0, max_value=1000)
_SCHEMES = (
    *(None, None, None, None, "singleton"),
    *("afterany", "afterok", "afternotok", "afterstart", "afterexcept"),
)
_STEPS = (
    *["submit"] * 6,
    *["write"] * 3,
    *["turn"] * 2,
    *["grant"] * 6,
    *["finish"] * 4,
    *["take_back"] * 2,
    *("deny", "annotate", "raise_exception", "change_urgency", "post"),
    *("toggle_scheduler", "toggle_exec", "toggle_queue"),
)
T = TypeVar("T")


def _pick(things: Sequence[T], at: int) -> T:
    return things[at % len(things)]


class JobManagerMachine(RuleBasedStateMachine):
    """One rule, so that hypothesis mixes all steps in every run.

    A step that finds nothing to do does nothing; ``at`` picks a job, ``how`` a variant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.machine = self.world.machine
        self.machine.exec_online = True
        self.machine.allocation.ready(2)
        self.count = 0

    @rule(step=st.sampled_from(_STEPS), at=_PICK, how=_PICK)
    def step(self, step: str, at: int, how: int) -> None:
        getattr(self, step)(at, how)

    def active(self, mask: int = states.ACTIVE) -> list[Job]:
        return [job for job in self.machine.active.values() if job.state & mask]

    # -- users ---------------------------------------------------------------------------------

    def submit(self, at: int, how: int) -> None:
        self.count += 1
        system: dict[str, Any] = {"dependencies": []}
        known = [*self.machine.active, *self.machine.inactive]
        scheme = _pick(_SCHEMES, how)
        if scheme == "singleton":
            system["job"] = {"name": "twin"}
            system["dependencies"].append({"scheme": scheme, "value": ""})
        elif scheme is not None and known:
            system["dependencies"].append({"scheme": scheme, "value": str(_pick(known, at))})
        urgency, flags = _pick((16, 16, 16, 0, 1, 31), at), _pick((0, 2, 4), how)
        refusal = self.world.submit(self.count, urgency=urgency, flags=flags, **system)
        assert refusal is None or refusal.startswith("dependency:")
        assert (self.count in self.machine.active) == (refusal is None)

    def raise_exception(self, at: int, how: int) -> None:
        for job in self.active()[at % 5 :][:1]:
            severity = 3 * (how % 2)
            self.machine.raise_exception(job, "cancel", severity, userid=OWNER)
            assert job.state & (states.CLEANUP | states.INACTIVE) or severity
            if severity == 0 and job.id in self.world.started and how % 4:
                self.world.release(job.id)

    def change_urgency(self, at: int, how: int) -> None:
        for job in self.active(states.PENDING)[at % 5 :][:1]:
            urgency = _pick((0, 1, 16, 31), how)
            self.machine.post(job, "urgency", {"urgency": urgency, "userid": OWNER})
            assert job.urgency == urgency

    def post(self, at: int, how: int) -> None:
        contexts = {"memo": {"a": {"b": 1}}, "jobspec-update": {"attributes.system.x": 1}}
        name = _pick(("memo", "jobspec-update", "clean", "nonsense"), how)
        for job in self.active()[at % 5 :][:1]:
            if name in ("memo", "nonsense") or (
                name == "jobspec-update" and job.state != states.CLEANUP
            ):
                self.machine.post(job, name, contexts.get(name))
            elif job.state != states.CLEANUP:
                with pytest.raises(EventError):
                    self.machine.post(job, name)

    # -- the KVS and the loop ------------------------------------------------------------------

    def write(self, _at: int, _how: int) -> None:
        self.world.write_all()
        self.world.turn()

    def turn(self, _at: int, _how: int) -> None:
        self.world.turn()

    # -- the scheduler -------------------------------------------------------------------------

    def grant(self, at: int, _how: int) -> None:
        self.world.turn()
        if self.world.asked:
            self.world.grant(_pick(sorted(self.world.asked), at))

    def deny(self, at: int, _how: int) -> None:
        if self.world.asked:
            jobid = _pick(sorted(self.world.asked), at)
            del self.world.asked[jobid]
            self.world.called_back.discard(jobid)
            self.machine.allocation.denied(jobid, "never")

    def annotate(self, at: int, _how: int) -> None:
        if self.world.asked:
            jobid = _pick(sorted(self.world.asked), at)
            self.machine.allocation.annotated(jobid, {"sched": {"t_estimate": 1.5}})

    def take_back(self, _at: int, _how: int) -> None:
        self.world.take_back()

    # -- the execution service -----------------------------------------------------------------

    def finish(self, at: int, how: int) -> None:
        jobids = [job.id for job in self.active(states.RUN) if job.id in self.world.started]
        if jobids:
            self.world.finish(_pick(jobids, at), _pick((0, 0, 256), how))

    # -- services come and go ------------------------------------------------------------------

    def toggle_scheduler(self, _at: int, how: int) -> None:
        self.world.asked.clear()
        self.world.called_back.clear()
        if self.machine.allocation.online:
            self.machine.allocation.gone("test")
            return
        # It learns of those who still have something.
        owners = {job.id for job in self.active() if job.has_resources}
        self.world.owned = {i: r for i, r in self.world.owned.items() if i in owners}
        self.machine.allocation.ready(_pick((0, 1, 3), how))

    def toggle_exec(self, _at: int, _how: int) -> None:
        self.machine.exec_online = not self.machine.exec_online
        if self.machine.exec_online:
            self.machine.act_on(self.active(states.RUNNING))
            return
        self.world.started.clear()
        for job in self.active():
            job.start_pending = False

    def toggle_queue(self, _at: int, _how: int) -> None:
        queue = self.machine.queues.find(None)
        if queue.started:
            queue.stop("test")
            self.machine.allocation.queue_stopped(queue)
        else:
            queue.start()
            self.machine.allocation.queue_started(queue)

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        validate_state(self.machine)
        owners = {job.id for job in self.active() if job.has_resources}
        if self.machine.allocation.online:
            assert owners == self.world.owned.keys()

    def teardown(self) -> None:
        """Whatever has happened, all jobs can end."""
        machine = self.machine
        if not machine.exec_online:
            self.toggle_exec(0, 0)
        for job in self.active():
            if job.id in machine.active:
                machine.raise_exception(job, "cancel", 0)
        for jobid in sorted(self.world.started):
            self.world.release(jobid)
        self.world.write_all()
        validate_state(machine)
        assert not machine.active
        assert machine.running == 0
        assert not machine.allocation.sent
        assert not len(machine.allocation.queue)
        waitable = [job.id for job in machine.inactive.values() if job.waitable]
        assert sorted(self.world.waits.zombies) == sorted(waitable)


JobManagerMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None
)
TestJobManagerMachine = pytest.mark.slow(JobManagerMachine.TestCase)


@pytest.mark.slow
def test_long_stories() -> None:
    """Longer than what hypothesis tries: many jobs that have come far."""
    for seed in range(100):
        chance = random.Random(seed)
        story = JobManagerMachine()
        for _ in range(120):
            step = getattr(story, chance.choice(_STEPS))
            step(chance.randrange(1000), chance.randrange(1000))
            story.holds()
        story.teardown()
