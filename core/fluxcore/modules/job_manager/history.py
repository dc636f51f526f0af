"""Which jobs a user has submitted, the last first (job-manager.history.get, CONTRACTS D10)."""

from bisect import bisect_left, insort

from fluxcore.modules.job_manager.job import Job


class History:
    """The jobs of each user by the time of submission, purged ones left out."""

    def __init__(self) -> None:
        self._users: dict[int, list[tuple[float, int]]] = {}

    def add(self, job: Job) -> None:
        """Take up a job; they mostly come in order."""
        jobs = self._users.setdefault(job.userid, [])
        entry = (job.t_submit, job.id)
        if jobs and entry < jobs[-1]:
            insort(jobs, entry)
        else:
            jobs.append(entry)

    def remove(self, job: Job) -> None:
        """Forget a job."""
        jobs = self._users.get(job.userid, [])
        at = bisect_left(jobs, (job.t_submit, job.id))
        if at < len(jobs) and jobs[at][1] == job.id:
            del jobs[at]

    def get(self, userid: int, text: str) -> list[int]:
        """The jobs of ``userid``, last first, that the slice ``[start:stop:step]`` picks.

        :raises ValueError: ``text`` is no slice
        """
        jobs = self._users.get(userid, [])
        count = len(jobs)
        return [jobs[count - 1 - at][1] for at in range(count)[_parse_slice(text)]]


def _parse_slice(text: str) -> slice:
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    parts = inner.split(":")
    if not 2 <= len(parts) <= 3:
        raise ValueError("could not parse python-style slice expression")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = [None, None, 0]
    if len(numbers) == 3 and numbers[2] == 0:
        raise ValueError("could not parse python-style slice expression")
    return slice(*numbers)
