"""What must be true of the machine whenever it is at rest; tests ask after each step."""

from fluxcore.job import states
from fluxcore.modules.job_manager.intake import replay
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine


def validate_state(machine: Machine) -> None:
    """Assert all of it."""
    assert not machine.active.keys() & machine.inactive.keys()
    running = [job for job in machine.active.values() if job.state & states.RUNNING]
    assert machine.running == len(running)
    allocation = machine.allocation
    assert not allocation.limit or not allocation.online or len(allocation.sent) <= allocation.limit
    for job in machine.active.values():
        _validate_requests(machine, job)
        _validate_rest(machine, job)
        _validate_log(job)
    for job in machine.inactive.values():
        assert job.state == states.INACTIVE, job
        assert not job.alloc_queued, job
        assert not job.alloc_pending, job
        assert not job.start_pending, job
        assert not job.has_resources, job
        _validate_log(job)


def _validate_requests(machine: Machine, job: Job) -> None:
    allocation = machine.allocation
    assert job.alloc_queued == (job in allocation.queue), job
    assert job.alloc_pending == (job.id in allocation.sent), job
    assert not (job.alloc_queued and job.alloc_pending), job
    if job.alloc_queued or job.alloc_pending:
        assert job.state == states.SCHED, job
        assert job.written, job
    if job.has_resources:
        assert job.r is not None, job
    if job.start_pending:
        assert job.state & states.RUNNING, job


def _validate_rest(machine: Machine, job: Job) -> None:
    """A job does not wait for nothing."""
    if job.state == states.DEPEND:
        assert job.dependencies, job
    elif job.state == states.SCHED:
        kept = not job.written or job.priority == 0 or not machine.queues.started(job.queue)
        assert kept or job.alloc_queued or job.alloc_pending or job.alloc_bypass, job
    elif job.state in (states.RUN, states.CLEANUP):
        assert job.start_pending or job.perilogs or not machine.exec_online, job
    else:
        raise AssertionError(f"{job} is not at rest")


def _validate_log(job: Job) -> None:
    """The eventlog tells the same story."""
    told = replay(job.id, job.events(), job.jobspec, job.r, b"")
    for name in ("state", "userid", "urgency", "t_submit", "has_resources", "started", "end"):
        assert getattr(told, name) == getattr(job, name), f"{job}: {name}"
    assert list(told.dependencies) == list(job.dependencies), job
