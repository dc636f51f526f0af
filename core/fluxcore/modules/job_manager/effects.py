"""What the job manager's machine asks of the world; the module carries it out."""

from collections.abc import Mapping
from typing import Any, Protocol

from fluxcore.modules.job_manager.job import EventObject, Job


class Effects(Protocol):
    """Told, in order, of what is to be done.

    The machine is at work while these are called, so nothing may be carried out that calls it
    back before it has said :meth:`rest`.
    """

    def posted(self, job: Job, event: EventObject, line: bytes | None) -> None:
        """``event`` has happened to ``job``; ``line`` goes to its eventlog unless it is None."""

    def accepted(self, job: Job) -> None:
        """``job`` is one of the instance's from now on."""

    def write(self, job: Job) -> None:
        """Call :meth:`~.machine.Machine.written` once what has been posted is in the KVS."""

    def withdraw(self, job: Job) -> None:
        """Forget a job that was refused: what has been posted is for nobody."""

    def plan_alloc(self) -> None:
        """Call :meth:`~.allocation.Allocation.send` soon: there is somebody to be allocated."""

    def alloc(self, job: Job) -> None:
        """Ask the scheduler for what ``job`` needs."""

    def cancel_alloc(self, job: Job) -> None:
        """Tell the scheduler that it need not answer."""

    def free(self, jobid: int, r: Mapping[str, Any]) -> None:
        """Give the scheduler back what a job had."""

    def start(self, job: Job) -> None:
        """Ask the execution service to run ``job``, or to find it again if it is started."""

    def expire(self, job: Job, expiration: float) -> None:
        """Tell the execution service when a running job is to end (seconds since the epoch)."""

    def raised(self, job: Job, context: Mapping[str, Any]) -> None:
        """Publish that an exception has been raised."""

    def wake(self, job: Job, when: float, description: str) -> None:
        """Call :meth:`~.dependencies.Dependencies.remove` at ``when`` (seconds since the epoch)."""

    def inactive(self, job: Job) -> None:
        """``job`` has ended."""

    def calm(self) -> None:
        """There may be nothing running any more: see who waits for that."""

    def log(self, level: int, text: str) -> None:
        """Write to the broker's log."""

    def rest(self) -> None:
        """The machine has done its work: carry out what it has asked for."""
