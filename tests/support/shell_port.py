"""A shell without IO, and what it says."""

from collections.abc import Mapping, Sequence
from typing import Any

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.layout import layout
from fluxcore.shell.options import parse
from fluxcore.shell.shell import Shell
from support.jobspecs import make_jobspec, make_r


class Port:
    """Keeps what the shell says."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, Any]] = []
        self.files: list[tuple[str, int | None, list[tuple[str, bytes]]]] = []
        self.killed: list[tuple[int, int]] = []
        self.input: list[tuple[int, bytes, bool]] = []
        self.unread = 0
        self.pmi: list[tuple[int, bytes]] = []
        self.held: list[bool] = []
        self.abandoned: list[int] = []
        self.status: int | None = None

    def report(self, kind: str, what: Mapping[str, Any]) -> None:
        self.reports.append((kind, what))

    def write_file(
        self, stream: str, index: int | None, pieces: Sequence[tuple[str, bytes]]
    ) -> None:
        self.files.append((stream, index, list(pieces)))

    def kill(self, index: int, signum: int) -> None:
        self.killed.append((index, signum))

    def write(self, index: int, data: bytes, eof: bool) -> int:
        self.input.append((index, data, eof))
        return self.unread

    def answer_pmi(self, index: int, data: bytes) -> None:
        self.pmi.append((index, data))

    def hold(self, held: bool) -> None:
        self.held.append(held)

    def abandon(self, index: int) -> None:
        self.abandoned.append(index)

    def finished(self, status: int) -> None:
        assert self.status is None, "finished twice"
        self.status = status

    def of(self, kind: str) -> list[Any]:
        return [what for reported, what in self.reports if reported == kind]


def make(
    tasks: int = 1, nodes: int = 1, node: int = 0, own_files: Sequence[str] = (), **options: Any
) -> tuple[Shell, Port]:
    """The shell of one node of a job, which has begun, and what it says."""
    jobspec = make_jobspec("prog", tasks=tasks, nodes=nodes if nodes > 1 else 0, **options)
    where = layout(jobspec, ResourceSet.from_json(make_r(range(nodes), tasks // nodes)))
    port = Port()
    parsed = parse(jobspec["attributes"]["system"]["shell"]["options"])
    shell = Shell(
        1234,
        where,
        where.nodes[node],
        parsed,
        port,
        preput={"x": "y"},
        own_files=frozenset(own_files),
    )
    shell.begin()
    return shell, port


def end(shell: Shell, index: int, status: int = 0) -> None:
    """A task ends, and so does its output."""
    shell.exited(index, status)
    shell.output(index, "stdout", b"")
    shell.output(index, "stderr", b"")
