import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.resource.hostlist import Hostlist
from fluxcore.wire.errors import PayloadError
from fluxtop.data.tbon import Health, Subtree, Topology, decode_health, decode_topology
from fluxtop.data.tbon_model import TbonModel


def kary(size: int, fanout: int) -> Topology:
    parents = tuple(-1 if rank == 0 else (rank - 1) // fanout for rank in range(size))
    return Topology(parents, Hostlist.decode(f"node[0-{size - 1}]"))


def full(rank: int, *children: int) -> Health:
    return Health(
        Subtree(rank, "full", 60.0), tuple(Subtree(child, "full", 60.0) for child in children)
    )


def shown(model: TbonModel) -> list[str]:
    return [f"{row.ranks.encode(brackets=True)} {row.hosts} {row.status}" for row in model.rows]


def test_a_small_tree_is_shown_broker_by_broker():
    model = TbonModel()
    model.set_topology(kary(4, 2))
    model.set_health(full(0, 1, 2), now=1000.0)
    assert shown(model) == ["0 node0 full", "1 node1 full", "3 node3 full", "2 node2 full"]
    assert [row.branch for row in model.rows] == [(), (True,), (True, False), (False,)]
    assert model.rows[0].since == 940.0
    assert model.wanted() == {0, 1}


def test_a_broker_that_is_full_speaks_for_those_below_it():
    model = TbonModel()
    model.set_topology(kary(7, 2))
    model.set_health(full(0, 1, 2), now=0.0)
    assert model.counts() == {"full": 7}
    assert model.rows[2].since is None


def test_a_lost_broker_and_its_reason_are_shown():
    model = TbonModel()
    model.set_topology(kary(4, 32))
    health = Health(
        Subtree(0, "degraded", 1.0),
        (Subtree(1, "full", 9.0), Subtree(2, "lost", 1.0, "connection reset")),
    )
    model.set_health(health, now=10.0)
    row = model.rows[2]
    assert (row.status, row.error, row.since) == ("lost", "connection reset", 9.0)
    assert model.counts() == {"degraded": 1, "full": 1, "lost": 1, "unknown": 1}


def test_equal_neighbours_of_a_large_tree_are_one_row():
    model = TbonModel()
    model.set_topology(kary(1027, 2000))
    statuses = ["full"] * 1026
    statuses[1] = "lost"
    children = tuple(Subtree(n, status, 1.0) for n, status in enumerate(statuses, 1))
    model.set_health(Health(Subtree(0, "degraded", 1.0), children), now=0.0)
    assert shown(model) == [
        "0 node0 degraded",
        "1 node1 full",
        "2 node2 lost",
        "[3-1026] node[3-1026] full",
    ]
    group = model.rows[3]
    model.turn(group.key, True)
    assert len(model.rows) == 4 + 1024
    assert model.rows[4].rank == 3


def test_a_filter_shows_what_matches_wherever_it_hangs():
    model = TbonModel()
    model.set_topology(kary(500, 8))
    model.set_health(full(0, *range(1, 9)), now=0.0)
    model.filter("node42")
    assert [row.rank for row in model.rows] == [42, *range(420, 430)]
    model.filter("")
    assert model.rows[0].rank == 0


def test_a_folded_broker_hides_what_is_below_and_is_followed_no_more():
    model = TbonModel()
    model.set_topology(kary(7, 2))
    model.turn(1, False)
    assert [row.rank for row in model.rows] == [0, 1, 2, 5, 6]
    assert model.wanted() == {0, 2}
    assert model.rows[1].below == 2


def test_time_in_state_does_not_jitter_with_the_delay_of_answers():
    model = TbonModel()
    model.set_topology(kary(1, 2))
    for now in (100.0, 100.3, 101.2):
        model.set_health(Health(Subtree(0, "full", now - 99.9), ()), now=now + 0.2)
    assert model.rows[0].since == pytest.approx(100.1)


def test_ten_thousand_brokers_are_laid_out_from_one_answer():
    model = TbonModel()
    model.set_topology(kary(10_000, 32))
    model.set_health(full(0, *range(1, 33)), now=0.0)
    assert model.rows[0].below == 9_999
    assert model.counts() == {"full": 10_000}


def test_a_chain_of_brokers_is_no_recursion():
    model = TbonModel()
    model.set_topology(Topology(tuple(range(-1, 4999)), Hostlist()))
    ill = Health(Subtree(0, "partial", 1.0), (Subtree(1, "partial", 1.0),))
    model.set_health(ill, now=0.0)
    assert model.status(4999) == "unknown"
    assert len(model.rows) > 1


@given(st.integers(1, 200), st.integers(1, 9))
def test_a_topology_answer_gives_each_rank_its_parent(size, fanout):
    nodes = [{"rank": rank, "size": 1, "children": []} for rank in range(size)]
    for rank in range(1, size):
        nodes[(rank - 1) // fanout]["children"].append(nodes[rank])
    assert decode_topology(nodes[0]) == kary(size, fanout).parents


@pytest.mark.slow
@given(
    st.integers(65, 90),
    st.integers(4, 8),
    st.lists(st.sampled_from(["full", "partial", "lost", "offline"]), min_size=8, max_size=8),
)
def test_the_rows_of_an_unfolded_tree_hold_every_broker_once(size, fanout, statuses):
    model = TbonModel()
    model.set_topology(kary(size, fanout))
    children = tuple(
        Subtree(rank, statuses[rank - 1], 1.0) for rank in range(1, min(fanout, size - 1) + 1)
    )
    model.set_health(Health(Subtree(0, "partial", 1.0), children), now=0.0)
    while folded := [row.key for row in model.rows if row.expanded is False]:
        for key in folded:
            model.turn(key, True)
    single = [row.rank for row in model.rows if len(row.ranks) == 1]
    assert sorted(single) == list(range(size))


@pytest.mark.parametrize("broken", [{}, {"rank": 0}, {"rank": "0", "children": []}])
def test_a_broken_answer_is_a_protocol_error(broken):
    with pytest.raises(PayloadError):
        decode_topology(broken)
    with pytest.raises(PayloadError):
        decode_health({**broken, "status": 1})
