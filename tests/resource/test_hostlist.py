"""Hostlists: RFC 29's vectors, order and repetition kept, flux-core's compaction."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.resource.hostlist import Hostlist


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ""),
        ("foox,fooy,fooz", "foox fooy fooz"),
        ("[1-3,5-6]", "1 2 3 5 6"),
        ("foo[1-5]", "foo1 foo2 foo3 foo4 foo5"),
        ("foo[0-4]-eth2", "foo0-eth2 foo1-eth2 foo2-eth2 foo3-eth2 foo4-eth2"),
        ("foo1,foo1,foo1", "foo1 foo1 foo1"),
        ("[00-02]", "00 01 02"),
        ("[00-2]", "00 01 02"),
        ("foo[1,1,2,1]", "foo1 foo1 foo2 foo1"),
        ("h[005,4,11-13]", "h005 h4 h11 h12 h13"),
        ("h[8-10,9,9,010]", "h8 h9 h10 h9 h9 h010"),
        ("h[0-1] x,\ty,,", "h0 h1 x y"),
    ],
)
def test_text_is_a_list_of_names(text: str, names: str) -> None:
    assert list(Hostlist.decode(text)) == names.split()


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("foo1 foo2 foo3 fooi", "foo[1-3],fooi"),
        ("foo1 fooi foo2 foo3", "foo1,fooi,foo[2-3]"),
        ("fooi foo1 foo2 foo3 foo5 foo7 foo8", "fooi,foo[1-3,5,7-8]"),
        ("foo-1a-2 foo-1a-3", "foo-1a-[2-3]"),
        ("1 2 3 4 5 9", "[1-5,9]"),
        ("foo1-bar foo3-bar", "foo1-bar,foo3-bar"),
        ("h2 h1", "h[2,1]"),
        ("h9 h10", "h[9-10]"),
        ("h08 h09 h10 h11 h012", "h[08-11,012]"),
        ("h9 h10 h0011", "h[9-10,0011]"),
        ("h0009 h0010", "h[0009-0010]"),
        ("vm vm", "vm,vm"),
        ("vm0 vm0", "vm[0,0]"),
        ("a1 b2", "a1,b2"),
        ("a1 b b2", "a1,b,b2"),
        ("14636", "14636"),
        ("h123456789012 h123456789013 h1", "h123[456789012-456789013],h1"),
    ],
)
def test_names_are_compacted(names: str, text: str) -> None:
    hosts = Hostlist(names.split())
    assert hosts.encode() == text
    assert list(Hostlist.decode(hosts.encode())) == names.split()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "foo[]",
        "foo[",
        "foo[1,3",
        "foo[[1,3]",
        "foo]",
        "foo[x-y]",
        "foo[0-1,2--5]",
        "foo[3-1]",
        "foo[1-]",
        "a[0-1]b[0-1]",
        "foo[1,]",
    ],
)
def test_what_is_no_hostlist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid hostlist"):
        Hostlist.decode(text)


@pytest.mark.parametrize("text", ["h[0-1048576]", "h[0-1000000],h[0-1000000]", "h[0-999999999]"])
def test_no_machine_is_that_large(text: str) -> None:
    with pytest.raises(ValueError, match="more than 1048576 hosts"):
        Hostlist.decode(text)


def test_a_hostlist_is_a_sequence() -> None:
    hosts = Hostlist.decode("n[0-2],n1,x")
    assert len(hosts) == 5
    assert hosts[1] == "n1"
    assert str(hosts[1:3]) == "n[1-2]"
    assert hosts.index("n1") == 1
    assert hosts.index("n1", 2) == 3
    assert hosts.places("n1") == [1, 3]
    assert hosts.places("n9") == []
    assert hosts.count("n1") == 2
    assert "x" in hosts
    assert "y" not in hosts
    assert hosts + Hostlist(["y"]) == Hostlist.decode("n[0-2],n1,x,y")
    assert hash(hosts) == hash(Hostlist(hosts))
    assert repr(hosts[:2]) == "Hostlist.decode('n[0-1]')"
    with pytest.raises(ValueError, match="y is not in the hostlist"):
        hosts.index("y")


PARTS = (["", "a", "a0", "b-"], ["1", "2", "9", "10", "09", "010", "x"], ["", "", "-x"])


@settings(max_examples=40)
@given(st.lists(st.tuples(*map(st.sampled_from, PARTS)).map("".join)))
def test_names_come_back(names: list[str]) -> None:
    assert list(Hostlist.decode(Hostlist(names).encode())) == names


@given(st.text("ab019-,[] ", max_size=14))
def test_any_text_is_a_hostlist_or_an_error(text: str) -> None:
    try:
        hosts = Hostlist.decode(text)
    except ValueError:
        return
    assert Hostlist.decode(str(hosts)) == hosts


def test_ten_thousand_hosts() -> None:
    hosts = Hostlist.decode("node[0-9999]")
    assert hosts.encode() == "node[0-9999]"
    assert hosts.index("node9999") == 9999
