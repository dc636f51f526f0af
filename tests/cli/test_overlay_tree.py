import errno
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.overlay.lookup import host_ranks, translate
from fluxcore.cli.overlay.tree import StatusTree, Topology
from fluxcore.resource.hostlist import Hostlist

HOSTS = Hostlist.decode("fluke[0-6]")
#: 0 - (1 - (3, 4), 2 - (5, 6))
CHILDREN = {0: [1, 2], 1: [3, 4], 2: [5, 6], 3: [], 4: [], 5: [], 6: []}


def topology_answer(children, rank=0):
    below = [topology_answer(children, child) for child in children[rank]]
    return {"rank": rank, "size": 1 + sum(b["size"] for b in below), "children": below}


class Instance:
    """Brokers that answer as overlay.health does; ``gone`` ones are lost or offline."""

    def __init__(self, children=CHILDREN, *, gone=None, status=None, silent=()):
        self.children = children
        self.gone = gone or {}
        self.status = status or {}
        self.silent = silent

    def state(self, rank):
        return self.gone.get(rank) or self.status.get(rank, "full")

    def probe(self, rank):
        if rank in self.silent:
            raise OSError(errno.ETIMEDOUT, "Connection timed out")
        children = [
            {"rank": child, "status": self.state(child), "duration": 60.0 * child}
            | ({"error": "node failure"} if child in self.gone else {})
            for child in self.children[rank]
        ]
        answer = {"rank": rank, "status": self.state(rank), "duration": 1.5, "children": children}
        return answer, 0.25

    def lines(self, rank=0, hosts=HOSTS, **options):
        topology = Topology(topology_answer(self.children))
        if "highlighted" in options:
            options["highlighted"] = topology.with_ancestors(options["highlighted"])
        return list(StatusTree(topology, hosts, self.probe, **options).walk(rank))


def test_a_full_tree_shows_every_broker():
    assert Instance().lines() == [
        "0 fluke0: full",
        "├─ 1 fluke1: full",
        "│  ├─ 3 fluke3: full",
        "│  └─ 4 fluke4: full",
        "└─ 2 fluke2: full",
        "   ├─ 5 fluke5: full",
        "   └─ 6 fluke6: full",
    ]


def test_it_may_begin_further_down():
    assert Instance().lines(2) == [
        "2 fluke2: full",
        "├─ 5 fluke5: full",
        "└─ 6 fluke6: full",
    ]


def test_what_is_behind_a_lost_broker_is_shown_as_its_ghosts():
    instance = Instance(gone={1: "lost"}, status={0: "degraded"})
    lines = [
        "0 fluke0: degraded",
        "├─ 1 fluke1: lost node failure",
        "│  ├─ 3 fluke3: lost",
        "│  └─ 4 fluke4: lost",
        "└─ 2 fluke2: full",
        "   ├─ 5 fluke5: full",
        "   └─ 6 fluke6: full",
    ]
    assert instance.lines() == lines
    assert instance.lines(ghosts=False) == lines[:2] + lines[4:]
    assert instance.lines(down=True) == lines[:4]


def test_a_broker_that_does_not_answer_is_named_with_what_went_wrong():
    assert Instance(silent=[2]).lines()[4:] == [
        "└─ 2 fluke2: Connection timed out",
        "   ├─ 5 fluke5: full",
        "   └─ 6 fluke6: full",
    ]
    with pytest.raises(OSError, match="Connection timed out"):
        Instance(silent=[0]).lines()


def test_a_summary_is_one_word():
    assert Instance(status={0: "partial"}).lines(summary=True) == ["partial"]


def test_more_words_show_how_long_and_how_fast():
    assert Instance().lines(2, verbose=1) == [
        "2 fluke2: full for 1.5s",
        "├─ 5 fluke5: full for 5m",
        "└─ 6 fluke6: full for 6m",
    ]
    assert Instance().lines(2, verbose=2) == [
        "2 fluke2: full for 1.5s (0.250 ms)",
        "├─ 5 fluke5: full for 1.5s (0.250 ms)",
        "└─ 6 fluke6: full for 1.5s (0.250 ms)",
    ]


def test_without_lines_brokers_stand_below_each_other():
    assert Instance().lines(2, pretty=False) == [
        "2 fluke2: full",
        "5 fluke5: full",
        "6 fluke6: full",
    ]


def test_brokers_and_those_above_them_can_be_set_off():
    assert Instance().lines(highlighted=[3])[:4] == [
        "<<0 fluke0>>: full",
        "├─ <<1 fluke1>>: full",
        "│  ├─ <<3 fluke3>>: full",
        "│  └─ 4 fluke4: full",
    ]


def test_colours_tell_what_is_gone_and_what_is_only_thought_to_be():
    instance = Instance(gone={1: "lost", 5: "offline"})
    lines = instance.lines(color=True, highlighted=[6])
    assert lines[0] == "\x1b[01;34m0 fluke0\x1b[0m: full"
    assert lines[1] == "├─ 1 fluke1: \x1b[31mlost\x1b[39m node failure"
    assert lines[2] == "│  ├─ 3 fluke3: \x1b[90mlost\x1b[39m"
    assert lines[5] == "   ├─ 5 fluke5: \x1b[33moffline\x1b[39m node failure"


@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_every_broker_of_any_tree_has_one_line(size, rng: random.Random):
    children: dict[int, list[int]] = {rank: [] for rank in range(size)}
    for rank in range(1, size):
        children[rng.randrange(rank)].append(rank)
    hosts = Hostlist.decode(f"h[0-{size - 1}]" if size > 1 else "h0")
    gone = {rank: "lost" for rank in range(1, size) if rng.random() < 0.2}
    for verbose in (0, 1, 2):
        lines = Instance(children, gone=gone).lines(hosts=hosts, verbose=verbose, pretty=False)
        assert sorted(int(line.split()[0]) for line in lines) == list(range(size))


@pytest.mark.parametrize(
    ("target", "found"),
    [("0", "fluke0"), ("0-2", "fluke[0-2]"), ("fluke3", "3"), ("fluke[2-4]", "2-4")],
)
def test_ranks_become_hosts_and_hosts_ranks(target, found):
    assert translate(target, HOSTS) == found


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("7", "rank 7 is not in host map"),
        ("x", "host x not found in host map"),
        ("[", "target must be a valid idset or hostlist"),
    ],
)
def test_what_is_not_there_cannot_be_looked_up(target, text):
    with pytest.raises(ValueError, match=text.replace("[", r"\[")):
        translate(target, HOSTS)


def test_of_several_brokers_on_a_host_the_first_counts():
    assert list(host_ranks("vm", Hostlist.decode("vm,vm"))) == [0]
