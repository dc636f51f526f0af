"""What jobs wait for before they may run (RFC 26): each scheme, and what it keeps.

``after*`` waits for another job, ``singleton`` until no other job of that user and name is active,
``begin-time`` for a time. A dependency is an event of the job (dependency-add with a description),
and so is its end.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fluxcore.job import states
from fluxcore.modules.job_manager.after import SCHEMES, After
from fluxcore.modules.job_manager.job import Job, RefusedError
from fluxcore.modules.job_manager.singleton import Singletons

if TYPE_CHECKING:
    from fluxcore.modules.job_manager.machine import Machine

#: The severity of an exception that leaves the job as it is.
_WARNING: Final = 4


class Dependencies:
    """The dependencies of all jobs."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self.after = After(machine)
        self.singletons = Singletons(machine)

    def check(self, job: Job) -> None:
        """Take up what the jobspec of a new job asks to wait for.

        :raises RefusedError: it cannot be waited for
        """
        for at, dependency in enumerate(job.system.get("dependencies") or ()):
            self._check(job, at, dependency)

    def check_again(self, job: Job) -> None:
        """The same after a restart: what cannot be waited for any more is told, no more."""
        for at, dependency in enumerate(job.system.get("dependencies") or ()):
            try:
                self._check(job, at, dependency)
            except RefusedError as exc:
                note = f"{exc} (job may be stuck in DEPEND state)"
                self._machine.raise_exception(job, "dependency", _WARNING, note)

    def _check(self, job: Job, at: int, dependency: Mapping[str, Any]) -> None:
        scheme, value = dependency.get("scheme"), dependency.get("value", "")
        if not isinstance(scheme, str):
            raise RefusedError(f"dependency[{at}] missing string scheme")
        if scheme in SCHEMES:
            self.after.check(job, scheme, str(value))
        elif scheme == "singleton":
            self.singletons.check(job)
        elif scheme == "begin-time":
            self._begin_time(job, str(value))
        else:
            raise RefusedError(f'dependency scheme "{scheme}" not supported')

    def _begin_time(self, job: Job, value: str) -> None:
        try:
            when = float(value)
        except ValueError:
            when = -1.0
        if when < 0 or math.isnan(when) or math.isinf(when):
            raise RefusedError(f"Invalid begin-time={value}")
        description = f"begin-time={when:.3f}"
        self.add(job, description)
        self._machine.effects.wake(job, when, description)

    # -- the events ------------------------------------------------------------------------

    def add(self, job: Job, description: str) -> None:
        """Let ``job`` wait for what ``description`` says, unless it does already."""
        if description not in job.dependencies:
            self._machine.post(job, "dependency-add", {"description": description})

    def remove(self, job: Job, description: str) -> None:
        """Let ``job`` wait for it no more, if it still does."""
        if job.state & (states.NEW | states.DEPEND):
            self._machine.post(job, "dependency-remove", {"description": description})

    # -- what happens to jobs --------------------------------------------------------------

    def accepted(self, job: Job) -> None:
        """``job`` is one of the instance's from now on."""
        self.singletons.add(job)

    def refused(self, job: Job) -> None:
        """``job`` is not: what was noted of it goes."""
        self.after.forget(job)
        self.singletons.forget(job)

    def started(self, job: Job) -> None:
        """The shells of ``job`` have started."""
        self.after.started(job)

    def ended(self, job: Job) -> None:
        """``job`` is inactive."""
        self.after.ended(job)
        self.singletons.remove(job)
