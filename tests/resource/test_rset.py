"""Resource sets: R both ways as flux-core writes it, summaries, and set algebra by model."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node

# Written by flux-core 0.88's scheduler for a job of "-n3 -g1" on four nodes of four cores.
ALLOCATED = (
    '{"version": 1, "execution": {"R_lite": [{"rank": "0", "children": {"core": "2", "gpu": "0"}},'
    ' {"rank": "3", "children": {"core": "1-2", "gpu": "0-1"}}], "starttime": 1795346549.2123692,'
    ' "expiration": 0.0, "nslots": 3, "nodelist": ["a,d"], "properties": {"foo": "0"}}}'
)
# The inventory of that instance.
INVENTORY = (
    '{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"gpu":"0-1","core":"0-3"}}],'
    '"starttime":0.0,"expiration":0.0,"nodelist":["a,b,c,d"],"properties":{"foo":"0-1"}}}'
)


def load(text: str) -> ResourceSet:
    return ResourceSet.from_json(json.loads(text))


def test_an_allocation_is_written_as_it_was_read() -> None:
    assert json.dumps(load(ALLOCATED).to_json()) == ALLOCATED


def test_an_inventory() -> None:
    inventory = load(INVENTORY)
    assert (inventory.nnodes, inventory.ncores, inventory.ngpus) == (4, 16, 8)
    assert str(inventory.ranks) == "0-3"
    assert list(inventory.nodelist) == ["a", "b", "c", "d"]
    assert inventory.to_json() == json.loads(INVENTORY)
    assert load(ALLOCATED) <= inventory
    assert not inventory <= load(ALLOCATED)


@pytest.mark.parametrize(
    ("entries", "summary"),
    [
        ([], ""),
        ([("0", "0", "")], "rank0/core0"),
        ([("0", "0-1", ""), ("1", "0-1", "")], "rank[0-1]/core[0-1]"),
        ([("0", "1", ""), ("3", "0", "")], "rank0/core1 rank3/core0"),
        ([("0", "2", "0"), ("3", "1-2", "0-1")], "rank0/core2,gpu0 rank3/core[1-2],gpu[0-1]"),
        ([("0-2", "0-3", ""), ("3", "0-1", "")], "rank[0-2]/core[0-3] rank3/core[0-1]"),
        ([("5", "0", ""), ("0", "1", ""), ("2", "0", "")], "rank0/core1 rank[2,5]/core0"),
    ],
)
def test_the_summary_of_an_allocation(entries: list[tuple[str, str, str]], summary: str) -> None:
    assert ResourceSet.from_json(r(entries)).summary() == summary


def r(entries: list[tuple[str, str, str]], **more: Any) -> dict[str, Any]:
    lite = [
        {"rank": rank, "children": {"core": core} | ({"gpu": gpu} if gpu else {})}
        for rank, core, gpu in entries
    ]
    return {"version": 1, "execution": {"R_lite": lite, **more}}


def test_a_rank_may_be_in_several_entries() -> None:
    rset = ResourceSet.from_json(r([("0-1", "0", ""), ("1", "2", "0")], nodelist=["x[1-2]"]))
    assert rset.nodes == {0: Node("x1", 1, 0), 1: Node("x2", 0b101, 1)}


def test_without_hosts_there_is_no_nodelist() -> None:
    rset = ResourceSet.from_json(r([("0-1", "0", "")]))
    assert "nodelist" not in rset.to_json()["execution"]


def test_scheduling_rides_along() -> None:
    obj = r([("0", "0", "")]) | {"scheduling": {"graph": [1]}}
    assert ResourceSet.from_json(obj).subset(IdSet([0])).to_json()["scheduling"] == {"graph": [1]}


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ([], "key execution"),
        ({"version": 1}, "key execution"),
        (r([]) | {"version": 2}, "R version 2 not supported"),
        ({"version": 1, "execution": {}}, "no R_lite"),
        ({"version": 1, "execution": {"R_lite": [1]}}, "entry of R_lite"),
        (r([("x", "0", "")]), "error parsing range 'x'"),
        (r([("0", "70000", "")]), "id 70000 of R is out of range"),
        (r([("0-2147483647", "0", "")]), "id 2147483647 of R is out of range"),
        (r([("0-999999", "0", "")] * 3), "too many ranks"),
        (r([("0-1", "0", "")], nodelist=["a"]), "2 ranks and 1 hosts"),
        (r([("0", "0", "")], nodelist="a"), "array of strings"),
        (r([("0", "0", "")], nodelist=["a["]), "invalid hostlist"),
        (r([("0", "0", "")], properties=[]), "properties of R"),
        (r([("0", "0", "")], properties={"a": 1}), "must be a string"),
        (r([("0", "0", "")], starttime="x"), "starttime of R must be a number"),
    ],
)
def test_what_is_no_r_is_refused(obj: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ResourceSet.from_json(obj)


nodes = st.builds(lambda cores, gpus: Node("h", cores, gpus), st.integers(1, 15), st.integers(0, 3))
rsets = st.builds(
    ResourceSet,
    st.dictionaries(st.integers(0, 5), nodes, max_size=4),
    st.just({"p": IdSet([0, 1, 2])}),
)


def ids(rset: ResourceSet) -> set[tuple[str, int, int]]:
    """Every core and gpu of a set, one by one."""
    return {
        (kind, rank, i)
        for rank, node in rset.nodes.items()
        for kind, mask in (("core", node.cores), ("gpu", node.gpus))
        for i in IdSet.from_mask(mask)
    }


@settings(max_examples=60)
@given(rsets, rsets)
def test_the_algebra_is_that_of_sets(a: ResourceSet, b: ResourceSet) -> None:
    assert ids(a | b) == ids(a) | ids(b)
    assert ids(a & b) == ids(a) & ids(b)
    assert ids(a - b) == ids(a) - ids(b)
    assert (a <= b) == (ids(a) <= ids(b))
    for result in (a | b, a & b, a - b):
        assert all(node.cores or node.gpus for node in result.nodes.values())
        assert result.properties.get("p", IdSet()) <= result.ranks
        assert list(result.nodes) == sorted(result.nodes)


@settings(max_examples=60)
@given(rsets)
def test_every_set_comes_back(rset: ResourceSet) -> None:
    again = ResourceSet.from_json(json.loads(json.dumps(rset.to_json())))
    assert again == rset
    assert again.nodes == rset.nodes


@settings(max_examples=60)
@given(rsets, st.sets(st.integers(0, 5)))
def test_a_subset_has_the_ranks_asked_for(rset: ResourceSet, ranks: set[int]) -> None:
    subset = rset.subset(IdSet(ranks))
    assert set(subset.nodes) == set(rset.nodes) & ranks
    assert subset <= rset
    assert subset.properties.get("p", IdSet()) == IdSet(ranks & {0, 1, 2} & set(rset.nodes))


def test_a_set_is_true_if_it_has_nodes() -> None:
    assert load(ALLOCATED)
    assert not ResourceSet({})
    assert repr(load(ALLOCATED)).startswith("<ResourceSet rank0/core2,gpu0 ")


def test_the_part_that_a_constraint_allows() -> None:
    inventory = load(INVENTORY)
    assert str(inventory.matching({"properties": ["^foo"]}).ranks) == "2-3"
    assert str(inventory.matching({"hostlist": ["b,c"]}).ranks) == "1-2"
