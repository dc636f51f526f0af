"""The shape of the tree (CONTRACTS B1)."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.overlay.topology import Topology

schemes = st.sampled_from(["kary:1", "kary:2", "kary:3", "kary:32", "kary:0", "binomial"]) | (
    st.integers(0, 5).map(lambda k: f"mincrit:{k}")
)
topologies = st.builds(Topology.parse, schemes, st.integers(1, 60))


@pytest.mark.parametrize(
    ("uri", "parents", "levels", "internal"),
    [
        # as flux-core 0.88 answers for 13 brokers
        ("binomial", [0, 0, 2, 0, 4, 4, 6, 0, 8, 8, 10, 8], 3, [0, 2, 4, 6, 8, 10]),
        ("kary:3", [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], 2, [0, 1, 2, 3]),
        ("kary:0", [0] * 12, 1, [0]),
        ("mincrit:3", [0, 0, 0, 1, 2, 3, 1, 2, 3, 1, 2, 3], 2, [0, 1, 2, 3]),
        ("kary", [0] * 12, 1, [0]),
        ("kary:1", list(range(12)), 12, list(range(12))),
        ("mincrit", [0] * 12, 1, [0]),
    ],
)
def test_thirteen_brokers(uri: str, parents: list[int], levels: int, internal: list[int]) -> None:
    topology = Topology.parse(uri, 13)
    assert [topology.parent(rank) for rank in range(1, 13)] == parents
    assert topology.max_level == levels
    assert topology.internal_ranks() == internal


@pytest.mark.parametrize(
    ("size", "routers"), [(1025, 0), (1026, 2), (2051, 2), (2052, 3), (5000, 5)]
)
def test_how_many_routers_a_mincrit_tree_takes(size: int, routers: int) -> None:
    topology = Topology.parse("mincrit", size)
    assert len(topology.internal_ranks()) == 1 + routers
    assert max(len(topology.children(rank)) for rank in range(1, size)) <= 1024


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("x", "unknown topology scheme 'x'"),
        ("", "unknown topology scheme ''"),
        ("kary:x", "kary k value must be an integer >= 0"),
        ("kary:-1", "kary k value must be an integer >= 0"),
        ("kary:1.5", "kary k value must be an integer >= 0"),
        ("kary:\u00b2", "kary k value must be an integer >= 0"),
        ("mincrit:x", "mincrit k value must be an integer >= 0"),
        ("binomial:x", "unknown binomial topology directive: 'x'"),
    ],
)
def test_a_topology_that_is_none(uri: str, text: str) -> None:
    with pytest.raises(OSError) as caught:
        Topology.parse(uri, 4)
    assert (caught.value.errno, caught.value.strerror) == (errno.EINVAL, text)


@given(topologies)
def test_parents_and_children_agree(topology: Topology) -> None:
    assert topology.parent(0) is None
    for rank in range(topology.size):
        for child in topology.children(rank):
            assert topology.parent(child) == rank
    below = [child for rank in range(topology.size) for child in topology.children(rank)]
    assert sorted(below) == list(range(1, topology.size)), "each has one place, and none is cut off"


@settings(max_examples=50)
@given(topologies)
def test_levels_and_counts(topology: Topology) -> None:
    assert topology.level(0) == 0
    for rank in range(1, topology.size):
        parent = topology.parent(rank)
        assert parent is not None
        assert topology.level(rank) == topology.level(parent) + 1
    assert topology.max_level == max(topology.level(rank) for rank in range(topology.size))
    for rank in range(topology.size):
        subtree = topology.subtree_ranks(rank)
        assert topology.descendants(rank) == len(subtree) - 1
        assert topology.subtree(rank)["size"] == len(subtree)
        assert bool(topology.children(rank)) or rank == 0 or rank not in topology.internal_ranks()


@given(topologies, st.data())
def test_a_route_leads_down_step_by_step(topology: Topology, data: st.DataObject) -> None:
    here = data.draw(st.integers(0, topology.size - 1))
    target = data.draw(st.integers(-1, topology.size + 1))
    next_rank = topology.route(here, target)
    if target not in topology.subtree_ranks(here)[1:]:
        assert next_rank is None
        return
    steps = 0
    while next_rank != target:
        assert next_rank in topology.children(here)
        here, next_rank = next_rank, topology.route(next_rank, target)
        steps += 1
        assert steps < topology.size
    assert next_rank in topology.children(here)


def test_the_tree_as_overlay_topology_answers_it() -> None:
    assert Topology.parse("kary:2", 4).subtree(0) == {
        "rank": 0,
        "size": 4,
        "children": [
            {"rank": 1, "size": 2, "children": [{"rank": 3, "size": 1, "children": []}]},
            {"rank": 2, "size": 1, "children": []},
        ],
    }
