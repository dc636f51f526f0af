"""Shells with real tasks on the test's loop, and what they have reported."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fluxcore.job.output import decode_data
from fluxcore.shell.runner import Host, Reports, ShellRunner
from fluxcore.shell.spawn import Spawner
from fluxcore.shell.sweep import Sweeper
from support.jobspecs import make_jobspec, make_r

#: Begins a command that ends when it is told to: it tells when it is ready for that.
READY = "echo ready; "


def is_running(pid: int) -> bool:
    """Whether a process runs: one that ended may wait for init to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def settled(holds: Callable[[], bool]) -> None:
    """Wait for something that happens beside the loop and tells nobody."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


class Job:
    """A shell and what it has reported."""

    def __init__(self, host: Host, jobspec: dict[str, Any], number: int) -> None:
        self.reports: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()
        self.shell = ShellRunner(host, number, jobspec, self._take)

    def _take(self, reports: Reports) -> None:
        self.reports += reports
        self._changed.set()

    async def more(self) -> None:
        """Wait for the next reports."""
        self._changed.clear()
        await self._changed.wait()

    async def until_output(self, text: str) -> None:
        while text not in self.text():
            await self.more()

    async def status(self) -> int:
        """The wait status of the job, at its end."""
        while not self.of("finished"):
            await self.more()
        return int(self.of("finished")[0]["status"])

    def data(self, stream: str = "stdout", rank: int = 0) -> bytes:
        contexts = [c for kind, what in self.reports if kind == "output" for c in what["data"]]
        mine = [c for c in contexts if c["stream"] == stream and c["rank"] == str(rank)]
        return b"".join(decode_data(context).data for context in mine)

    def text(self, stream: str = "stdout", rank: int = 0) -> str:
        return self.data(stream, rank).decode()

    def of(self, kind: str) -> list[Any]:
        return [what for reported, what in self.reports if reported == kind]


class Jobs:
    """Starts jobs on a node of four cores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: list[str] = []
        loop = asyncio.get_running_loop()
        self.host = Host(
            loop,
            Spawner(loop, self.log.append),
            Sweeper(loop),
            0,
            str(folder / "run"),
            "local:///x",
            "/",
            "thishost",
            [frozenset([cpu]) for cpu in sorted(os.sched_getaffinity(0))],
            {"flux.instance-level": "1"},
        )
        (folder / "run").mkdir()
        self._number = 1000

    def start(self, *command: str, **how: Any) -> Job:
        """Start a job; see support.jobspecs."""
        how.setdefault("system", {"cwd": str(self.folder)})
        jobspec = make_jobspec(*command, **how)
        self._number += 1
        job = Job(self.host, jobspec, self._number)
        job.shell.run(make_r([0], how.get("tasks", 1)))
        return job

    async def run(self, *command: str, **how: Any) -> Job:
        job = self.start(*command, **how)
        await job.status()
        return job
