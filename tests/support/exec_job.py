"""A job of the execution service without IO, and what its shells report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from fluxcore.job.taskmap import Taskmap
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.modules.job_exec.mock import MockTest
from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.modules.job_exec.port import Start, Timer
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.options import ShellOptions
from support.jobspecs import make_jobspec, make_r

POLICY = ExecOptions()


class World:
    """A job's port: keeps what the job does."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Mapping[str, Any]]] = []
        self.told: list[tuple[list[int], str, Mapping[str, Any]]] = []
        self.timers: dict[Timer, float] = {}
        self.started = 0
        self.finalized = 0
        self.drained: list[tuple[str, str]] = []

    def answer(self, kind: str, data: Mapping[str, Any]) -> None:
        self.answers.append((kind, data))

    def start_shells(self) -> None:
        self.started += 1

    def tell_shells(self, ranks: Iterable[int], kind: str, data: Mapping[str, Any]) -> None:
        self.told.append((list(ranks), kind, data))

    def arm(self, timer: Timer, delay: float) -> None:
        assert delay >= 0
        self.timers[timer] = delay

    def disarm(self, timer: Timer) -> None:
        self.timers.pop(timer, None)

    def drain(self, ranks: IdSet, reason: str) -> None:
        self.drained.append((ranks.encode(), reason))

    def finalize(self) -> None:
        self.finalized += 1

    def said(self, kind: str) -> list[Mapping[str, Any]]:
        return [data for said, data in self.answers if said == kind]

    @property
    def signals(self) -> list[int]:
        return [data["signum"] for _, kind, data in self.told if kind == "signal"]


def make_job(
    world: World,
    ranks: Sequence[int] = (0,),
    *,
    mock: MockTest | None = None,
    policy: ExecOptions = POLICY,
    options: ShellOptions | None = None,
    **r: float,
) -> ExecJob:
    jobspec = make_jobspec("/bin/prog", "x", nodes=len(ranks), tasks=len(ranks))
    start = Start(1234, 100, jobspec, ResourceSet.from_json(make_r(ranks, **r)))
    return ExecJob(start, options or ShellOptions(), policy, world, mock)


def layout(ranks: int) -> tuple[str, dict[str, Any]]:
    taskmap = Taskmap.from_json([[0, ranks, 1, 1]])
    return "layout", {
        "taskmap": taskmap.to_json(),
        "ntasks": ranks,
        "files": {},
        "stdin": True,
    }


def exit_of(rank: int, status: int) -> tuple[str, dict[str, Any]]:
    return "exit", {"rank": rank, "wait_status": status}


def names(job: ExecJob) -> list[str]:
    """The events of execution that have not been written yet; they are then written."""
    tree = job.records.log.take_tree()
    lines = val_bytes(tree["data"]["exec"]["data"]["eventlog"]).splitlines()
    return [orjson.loads(line)["name"] for line in lines]


def running(world: World, ranks: Sequence[int] = (0,), **how: Any) -> ExecJob:
    """A job whose shells have all started."""
    job = make_job(world, ranks, **how)
    job.ready(10.0)
    for index, rank in enumerate(ranks):
        first = [layout(len(ranks))] if not index else []
        job.reports(rank, [*first, ("started", {})], 10.0)
    return job


def finish(job: ExecJob, rank: int = 0, status: int = 0) -> None:
    job.reports(rank, [exit_of(0, status), ("finished", {"status": status})], 20.0)
