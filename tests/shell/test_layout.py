"""Which tasks run where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import ShellError
from fluxcore.shell.layout import Layout, layout
from support.jobspecs import make_jobspec, make_r


def lay_out(
    jobspec: dict[str, object],
    r: dict[str, object],
    scheme: tuple[str, str] | None = None,
    hostfile: str | None = None,
) -> Layout:
    return layout(jobspec, ResourceSet.from_json(r), scheme, hostfile)


def tasks(where: Layout) -> list[str]:
    return [node.tasks.encode() for node in where.nodes]


def test_one_node_has_all_tasks() -> None:
    where = lay_out(make_jobspec(tasks=3), make_r([2], cores=3))
    assert tasks(where) == ["0-2"]
    assert where.leader.rank == 2
    assert where.leader.host == "host2"
    assert where.leader.cores.encode() == "0-2"
    assert where.taskmap.to_json() == [[0, 1, 3, 1]]
    assert where.on(2) is where.leader
    with pytest.raises(ShellError, match="error fetching rankinfo for rank 1"):
        where.on(1)


def test_nodes_get_tasks_as_they_have_cores() -> None:
    assert tasks(lay_out(make_jobspec(tasks=4, nodes=2), make_r([0, 1], 2))) == ["0-1", "2-3"]
    assert tasks(lay_out(make_jobspec(tasks=6), make_r([0, 1, 2], [4, 1, 1]))) == ["0-3", "4", "5"]


def test_a_slot_too_many_leaves_its_cores_unused() -> None:
    where = lay_out(make_jobspec(tasks=3, nodes=2), make_r([0, 1], 2))
    assert tasks(where) == ["0-1", "2"]
    assert [node.cores.encode() for node in where.nodes] == ["0-1", "0"]


def test_tasks_may_be_dealt_by_node_or_core() -> None:
    by_node = make_jobspec(nodes=2, per_resource={"type": "node", "count": 3})
    assert tasks(lay_out(by_node, make_r([0, 1], 2))) == ["0-2", "3-5"]
    by_core = make_jobspec(nodes=2, per_resource={"type": "core"})
    assert tasks(lay_out(by_core, make_r([0, 1], 2))) == ["0-1", "2-3"]
    with pytest.raises(ShellError, match="error distributing 1 tasks per-rack over R"):
        lay_out(make_jobspec(per_resource={"type": "rack"}), make_r([0]))


def test_schemes_map_tasks_otherwise() -> None:
    jobspec, r = make_jobspec(tasks=4, nodes=2), make_r([0, 1], 2)
    assert tasks(lay_out(jobspec, r, ("block", ""))) == ["0-1", "2-3"]
    assert tasks(lay_out(jobspec, r, ("cyclic", ""))) == ["0,2", "1,3"]
    assert tasks(lay_out(jobspec, r, ("cyclic", "2"))) == ["0-1", "2-3"]
    assert tasks(lay_out(jobspec, r, ("manual", "[[1,1,2,1],[0,1,2,1]]"))) == ["2-3", "0-1"]
    assert tasks(lay_out(jobspec, r, ("hostfile", "f"), "host1\nhost0\n")) == ["1,3", "0,2"]


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        (("foo", "1"), "failed to map tasks with scheme=foo"),
        (("block", "1"), r"block taskmap does not accept a value \(got 1\)"),
        (("cyclic", "x"), "failed to map tasks with scheme=cyclic"),
        (("manual", "[[0,1,1,1]]"), "failed to set new shell taskmap"),
        (("manual", "zz"), "taskmap=zz: "),
        (("hostfile", "f"), "failed to map tasks with scheme=hostfile"),
    ],
)
def test_a_scheme_that_does_not_fit_is_refused(scheme: tuple[str, str], text: str) -> None:
    with pytest.raises(ShellError, match=text):
        lay_out(make_jobspec(tasks=4, nodes=2), make_r([0, 1], 2), scheme, "host9\n")


@given(
    cores=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    ntasks=st.integers(1, 40),
    size=st.integers(1, 3),
)
def test_every_task_is_on_one_node_and_none_is_overfull_before_all_are(
    cores: list[int], ntasks: int, size: int
) -> None:
    where = lay_out(make_jobspec(tasks=ntasks, cores=size), make_r(list(range(len(cores))), cores))
    placed = [task for node in where.nodes for task in node.tasks]
    assert sorted(placed) == list(range(ntasks))
    if len(cores) == 1:
        return
    need = min(size, *cores)
    rounds = [
        -(-len(node.tasks) // (have // need)) for node, have in zip(where.nodes, cores, strict=True)
    ]
    assert max(rounds) - min(rounds) <= 1


def test_very_many_tasks() -> None:
    where = lay_out(make_jobspec(tasks=100_001), make_r([0, 1], [3, 1]))
    assert [len(node.tasks) for node in where.nodes] == [75_001, 25_000]
    for ranks in ([0], [0, 1]):
        with pytest.raises(ShellError, match="at most 65536 fit on a node"):
            lay_out(make_jobspec(tasks=1 << 30), make_r(ranks, [4] * len(ranks)))
