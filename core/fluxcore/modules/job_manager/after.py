"""The dependency schemes that wait for another job: afterstart, afterok and their kin (RFC 26).

All but afterany ask that the other job got to run: one that was cancelled before is no reason to
run a job that was to follow its failure.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fluxcore.job import jobid, states
from fluxcore.modules.job_manager.job import Job, RefusedError

if TYPE_CHECKING:
    from fluxcore.modules.job_manager.machine import Machine

_START: Final = "after-start"
_FINISH: Final = "after-finish"
_SUCCESS: Final = "after-success"
_FAILURE: Final = "after-failure"
_EXCEPT: Final = "after-except"

#: What each scheme waits for, as its dependency is described.
SCHEMES: Final = {
    "after": _START,
    "afterstart": _START,
    "afterany": _FINISH,
    "afterok": _SUCCESS,
    "afternotok": _FAILURE,
    "afterexcept": _EXCEPT,
}


@dataclass(frozen=True, slots=True)
class _Link:
    """``job`` waits for job ``target``."""

    job: Job
    target: int
    kind: str
    description: str


class After:
    """Which jobs wait for which."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._by_target: dict[int, list[_Link]] = {}
        self._by_job: dict[int, list[_Link]] = {}

    def check(self, job: Job, scheme: str, value: str) -> None:
        """Let a new job wait for the one that ``value`` names.

        :raises RefusedError: there is none, it is another user's, or it has ended otherwise
        """
        if scheme == "after":
            note = "dependency scheme 'after' is deprecated, use 'afterstart'"
            self._machine.raise_exception(job, "dependency", 3, note)
        target = self._target(job, scheme, value)
        kind = SCHEMES[scheme]
        description = f"{kind}={value}"
        self._machine.dependencies.add(job, description)
        if target.state == states.INACTIVE:
            _check_ended(target, kind, value)
        elif not (kind == _START and target.started):
            link = _Link(job, target.id, kind, description)
            self._by_target.setdefault(target.id, []).append(link)
            self._by_job.setdefault(job.id, []).append(link)
            return
        self._machine.dependencies.remove(job, description)

    def _target(self, job: Job, scheme: str, value: str) -> Job:
        try:
            target = self._machine.find(jobid.parse(value))
        except ValueError:
            raise RefusedError(f'dependency: {scheme}: "{value}" is not a valid jobid') from None
        if target is None or target is job:
            raise RefusedError(f"dependency: {scheme}: id {value}: job not found")
        if target.userid != job.userid:
            raise RefusedError(f"{scheme}: Permission denied for job {value}")
        return target

    def started(self, job: Job) -> None:
        """Those that wait for ``job`` to start need not any longer."""
        links = self._by_target.get(job.id)
        if links:
            self._by_target[job.id] = [link for link in links if link.kind != _START]
            self._release([link for link in links if link.kind == _START])

    def ended(self, job: Job) -> None:
        """Let go those that waited for this end of ``job``; the others never can run."""
        self.forget(job)
        links = self._by_target.pop(job.id, ())
        if not links:
            return
        met, why = _met_by(job)
        self._release([link for link in links if link.kind in met])
        for link in links:
            if link.kind not in met:
                note = f"dependency {link.description} {why}"
                self._machine.raise_exception(link.job, "dependency", 0, note)

    def _release(self, links: list[_Link]) -> None:
        for link in links:
            self._machine.dependencies.remove(link.job, link.description)

    def forget(self, job: Job) -> None:
        """``job`` waits for nothing any more."""
        for link in self._by_job.pop(job.id, ()):
            links = self._by_target.get(link.target, [])
            if link in links:
                links.remove(link)


def _met_by(job: Job) -> tuple[tuple[str, ...], str]:
    """What an ended job satisfies, and what is said to those who wait for something else."""
    if not job.got_resources:
        return (_FINISH,), "job never started"
    if job.result == states.COMPLETED:
        return (_FINISH, _SUCCESS), "can never be satisfied"
    if job.end is not None and job.end["name"] == "exception":
        return (_FINISH, _FAILURE, _EXCEPT), "can never be satisfied"
    return (_FINISH, _FAILURE), "can never be satisfied"


def _check_ended(target: Job, kind: str, value: str) -> None:
    """Check that a job that has ended already did so as ``kind`` asks."""
    if kind == _FINISH:
        return
    if not target.got_resources or (kind == _START and not target.started):
        raise RefusedError(f"dependency: after: {value} never started")
    success = target.result == states.COMPLETED
    if kind == _SUCCESS and not success:
        raise RefusedError(f"dependency: afterok: job {value} failed or was canceled")
    if kind == _FAILURE and success:
        raise RefusedError(f"dependency: afternotok: job {value} succeeded")
    if kind == _EXCEPT and (target.end is None or target.end["name"] != "exception"):
        raise RefusedError(f"dependency: afterexcept: job {value}: no exception")
