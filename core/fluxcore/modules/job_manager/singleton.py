"""The dependency scheme ``singleton``: one job of a user and a name at a time."""

from typing import TYPE_CHECKING

from fluxcore.modules.job_manager.job import Job, RefusedError

if TYPE_CHECKING:
    from fluxcore.modules.job_manager.machine import Machine

#: A user and the name of a job.
_Key = tuple[int, str]


class Singletons:
    """For each user and job name: how many jobs are active, and which of them wait."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._active: dict[_Key, int] = {}
        self._waiting: dict[_Key, dict[int, Job]] = {}

    def check(self, job: Job) -> None:
        """Let a new job wait if others of its name are active.

        :raises RefusedError: it has no name
        """
        key = _key(job)
        if key is None:
            raise RefusedError("singleton jobs require a job name")
        if self._active.get(key):
            self._machine.dependencies.add(job, "singleton")
            self._waiting.setdefault(key, {})[job.id] = job

    def add(self, job: Job) -> None:
        """Count a new job."""
        key = _key(job)
        if key is not None:
            self._active[key] = self._active.get(key, 0) + 1
            self._release(key)

    def remove(self, job: Job) -> None:
        """Count a job no more that has ended."""
        key = _key(job)
        if key is not None and key in self._active:
            self.forget(job)
            self._active[key] -= 1
            self._release(key)

    def forget(self, job: Job) -> None:
        """``job`` does not wait any more."""
        key = _key(job)
        if key in self._waiting:
            self._waiting[key].pop(job.id, None)

    def _release(self, key: _Key) -> None:
        """If all that are active wait, the first need wait no longer."""
        waiting = self._waiting.get(key, {})
        if waiting and len(waiting) == self._active[key]:
            job = waiting.pop(next(iter(waiting)))
            self._machine.dependencies.remove(job, "singleton")
        if not waiting:
            self._waiting.pop(key, None)
        if not self._active[key]:
            del self._active[key]


def _key(job: Job) -> _Key | None:
    description = job.system.get("job")
    name = description.get("name") if isinstance(description, dict) else None
    return (job.userid, name) if isinstance(name, str) else None
