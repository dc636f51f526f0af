"""How many jobs there are of each kind, as ``flux jobs --stats`` has it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fluxcore.cli.errors import CommandError
from fluxcore.handle.blocking import Flux
from fluxcore.wire.payload import need_dict, need_int, need_list, need_str


class Stats(NamedTuple):
    """Numbers of jobs."""

    running: int = 0
    completed: int = 0
    failed: int = 0
    pending: int = 0
    purged: int = 0

    @property
    def active(self) -> int:
        """Those that are not over."""
        return self.running + self.pending

    def __add__(self, other: object) -> "Stats":
        assert isinstance(other, Stats)
        return Stats(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def line(self) -> str:
        """The numbers in words."""
        return (
            f"{self.running} running, {self.completed} completed, {self.failed} failed,"
            f" {self.pending} pending, {self.purged} inactive purged"
        )


def read_stats(answer: Mapping[str, Any]) -> Stats:
    """The numbers in an answer of job-list.job-stats, or in that for one queue."""
    counts = need_dict(answer, "job_states")
    unsuccessful = ("failed", "timeout", "canceled")
    return Stats(
        running=need_int(counts, "run") + need_int(counts, "cleanup"),
        completed=need_int(answer, "successful"),
        failed=sum(need_int(answer, key) for key in unsuccessful),
        pending=sum(need_int(counts, key) for key in ("depend", "priority", "sched")),
        purged=need_int(answer, "inactive_purged"),
    )


def fetch_stats(flux: Flux, queues: Sequence[str]) -> Stats:
    """The numbers of all jobs, or of those in ``queues``.

    :raises CommandError: there is no such queue
    """
    answer = flux.rpc("job-list.job-stats", {}).json
    if not queues:
        return read_stats(answer)
    known = {need_str(each, "name"): read_stats(each) for each in need_list(answer, "queues")}
    total = Stats()
    for name in ",".join(queues).split(","):
        if name not in known:
            text = f"error retrieving job stats: no stats available for queue {name}"
            raise CommandError(text)
        total += known[name]
    return total
