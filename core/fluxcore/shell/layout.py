"""Which tasks of a job run where: a shell on each node of R, tasks dealt out by its cores.

As flux-core deals: a task needs the cores of a slot; the node with most free cores gets the next
one, and when all are full they are filled anew. Pure and the same on every rank, so nobody has to
be told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.job.jobspec import Jobspec
from fluxcore.job.jobspec_counts import Counts, total
from fluxcore.job.taskmap import Taskmap
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import ShellError

#: More tasks than this have no room on a node: each has its pipes, and there are process ids.
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Node:
    """One shell of a job: its index among them, the broker it is on and what it has there."""

    index: int
    rank: int
    host: str
    cores: IdSet
    gpus: IdSet
    tasks: IdSet


@dataclass(frozen=True, slots=True)
class Layout:
    """All shells of a job, in the order of their ranks."""

    nodes: Sequence[Node]
    taskmap: Taskmap

    @property
    def ntasks(self) -> int:
        """How many tasks the job has."""
        return self.taskmap.ntasks

    @property
    def leader(self) -> Node:
        """The shell that speaks for the job."""
        return self.nodes[0]

    def on(self, rank: int) -> Node:
        """The shell on a broker.

        :raises ShellError: there is none
        """
        for node in self.nodes:
            if node.rank == rank:
                return node
        raise ShellError(f"error fetching rankinfo for rank {rank}")


def layout(
    jobspec: Jobspec,
    rset: ResourceSet,
    scheme: tuple[str, str] | None = None,
    hostfile: str | None = None,
) -> Layout:
    """The shells of a job of ``jobspec`` on the resources ``rset``.

    ``scheme`` is the taskmap option, a scheme and its value; ``hostfile`` is the text of the
    file that the scheme hostfile names.

    :raises ShellError: the tasks cannot be mapped
    """
    counts = total(jobspec)
    if counts.ntasks > _MOST * len(rset.nodes):
        raise ShellError(f"cannot run {counts.ntasks} tasks: at most {_MOST} fit on a node")
    cores = [node.cores.bit_count() for node in rset.nodes.values()]
    if len(cores) == 1 and scheme is None and not _per_resource(jobspec):
        taskmap = Taskmap.block([counts.ntasks])
    else:
        ntasks = _distribute(jobspec, counts, cores)
        hosts = [node.host for node in rset.nodes.values()]
        taskmap = _mapped(Taskmap.block(ntasks), scheme, ntasks, hosts, hostfile)
    limits = _limits(jobspec, counts, taskmap, len(cores))
    nodes = [
        Node(
            index,
            rank,
            node.host,
            _first(IdSet.from_mask(node.cores), limits[index][0]),
            _first(IdSet.from_mask(node.gpus), limits[index][1]),
            taskmap.taskids(index),
        )
        for index, (rank, node) in enumerate(rset.nodes.items())
    ]
    return Layout(nodes, taskmap)


def _per_resource(jobspec: Jobspec) -> Mapping[str, Any] | None:
    options = jobspec["attributes"]["system"].get("shell", {}).get("options", {})
    spec: Mapping[str, Any] | None = options.get("per-resource")
    return spec


def _distribute(jobspec: Jobspec, counts: Counts, cores: Sequence[int]) -> list[int]:
    """How many tasks each node has."""
    spec = _per_resource(jobspec)
    if spec is not None:
        per, kind = int(spec.get("count", 1)), spec["type"]
        if kind not in ("node", "core"):
            raise ShellError(f"error distributing {per} tasks per-{kind} over R")
        return [per if kind == "node" else per * have for have in cores]
    need = counts.cores_per_slot or sum(cores) // counts.ntasks
    if need == 0 or not all(cores):
        raise ShellError(f"error distributing {counts.ntasks} tasks over R")
    return _deal(counts.ntasks, min(need, *cores), cores)


def _deal(ntasks: int, need: int, cores: Sequence[int]) -> list[int]:
    """``ntasks`` tasks of ``need`` cores each, one to each node in turn that has room."""
    room = [have // need for have in cores]
    rounds, ntasks = divmod(ntasks, sum(room))
    given = [rounds * fit for fit in room]
    order = sorted(range(len(cores)), key=lambda node: -cores[node])
    if ntasks:
        free = list(cores)
        turn = order
        while turn and ntasks:
            turn = turn[:ntasks]
            ntasks -= len(turn)
            for node in turn:
                given[node] += 1
                free[node] -= need
            turn = [node for node in turn if free[node] >= need]
    return given


def _mapped(
    block: Taskmap,
    scheme: tuple[str, str] | None,
    counts: Sequence[int],
    hosts: Sequence[str],
    hostfile: str | None,
) -> Taskmap:
    """The task map that the taskmap option asks for."""
    if scheme is None:
        return block
    name, value = scheme
    if name == "block":
        if value:
            raise ShellError(f"block taskmap does not accept a value (got {value})")
        return block
    if name == "cyclic":
        return _cyclic(counts, value)
    if name == "manual":
        return _manual(block, value)
    if name == "hostfile":
        return _by_hosts(block, hosts, hostfile or "", value)
    raise ShellError(f"failed to map tasks with scheme={name}")


def _cyclic(counts: Sequence[int], value: str) -> Taskmap:
    try:
        return Taskmap.cyclic(counts, int(value or "1"))
    except ValueError:
        raise ShellError("failed to map tasks with scheme=cyclic") from None


def _manual(block: Taskmap, value: str) -> Taskmap:
    try:
        taskmap = Taskmap.decode(value)
    except ValueError as exc:
        raise ShellError(f"taskmap={value}: {exc}") from None
    if taskmap.ntasks != block.ntasks or taskmap.nnodes != block.nnodes:
        raise ShellError("failed to set new shell taskmap")
    return taskmap


def _by_hosts(block: Taskmap, hosts: Sequence[str], text: str, path: str) -> Taskmap:
    """One task after the other on the hosts of a file, from its top again and again."""
    wanted = [host for line in text.split() for host in Hostlist.decode(line)]
    failed = ShellError("failed to map tasks with scheme=hostfile")
    if not wanted or not path or any(host not in hosts for host in wanted):
        raise failed
    nodes = [hosts.index(wanted[task % len(wanted)]) for task in range(block.ntasks)]
    ids = [",".join(str(t) for t, on in enumerate(nodes) if on == n) for n in range(len(hosts))]
    try:
        return Taskmap.decode(";".join(ids)) if len(hosts) > 1 else block
    except ValueError:
        raise failed from None


def _limits(
    jobspec: Jobspec, counts: Counts, taskmap: Taskmap, nnodes: int
) -> list[tuple[int | None, int | None]]:
    """How many cores and gpus each node may use; None for all that R gives.

    Version 1 cannot ask for other numbers of slots on each node, so a job of three tasks on two
    nodes has a slot too many. It is left unused, so that every task has as much as the others.
    """
    surplus = nnodes > 1 and counts.nnodes > 1 and counts.nslots > taskmap.ntasks
    if not surplus or counts.exclusive or _per_resource(jobspec):
        return [(None, None)] * nnodes
    tasks = [len(taskmap.taskids(index)) for index in range(nnodes)]
    return [(n * counts.cores_per_slot, n * counts.gpus_per_slot) for n in tasks]


def _first(ids: IdSet, limit: int | None) -> IdSet:
    return ids if limit is None or len(ids) <= limit else IdSet(list(ids)[:limit])
