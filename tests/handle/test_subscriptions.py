"""Subscriptions against models that count (CONTRACTS A8)."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.handle.subscribers import Subscribers
from fluxcore.handle.subscriptions import Subscriptions

prefixes = st.text("ab.", max_size=3)


# -- of one party ---------------------------------------------------------------------------


def test_what_is_not_subscribed_to_cannot_be_taken_back() -> None:
    subs = Subscriptions()
    with pytest.raises(FileNotFoundError):
        subs.remove("foo")
    subs.add("foo")
    with pytest.raises(FileNotFoundError):
        subs.remove("fo")
    assert subs.remove("foo")
    with pytest.raises(FileNotFoundError):
        subs.remove("foo")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), prefixes), max_size=30))
def test_subscriptions_against_a_model(steps: list[tuple[bool, str]]) -> None:
    subs, model = Subscriptions(), Counter[str]()
    for adding, prefix in steps:
        if adding:
            assert subs.add(prefix) is (model[prefix] == 0)
            model[prefix] += 1
        elif model[prefix]:
            model[prefix] -= 1
            assert subs.remove(prefix) is (model[prefix] == 0)
        assert set(subs) == {known for known, count in model.items() if count}


# -- of many --------------------------------------------------------------------------------


def test_a_prefix_matches_what_begins_with_it() -> None:
    subs = Subscribers[str]()
    subs.add("foo", "one")
    wanted = {topic: subs.wanting(topic) for topic in ("foo", "foobar", "foo.bar", "fo", "xfoo")}
    assert wanted == {"foo": ["one"], "foobar": ["one"], "foo.bar": ["one"], "fo": [], "xfoo": []}
    subs.add("", "two")
    assert subs.wanting("") == ["two"]
    assert sorted(subs.wanting("foo")) == ["one", "two"]


def test_who_does_not_subscribe_cannot_take_it_back() -> None:
    subs = Subscribers[str]()
    subs.add("foo", "one")
    for prefix, taker in (("foo", "two"), ("fo", "one")):
        with pytest.raises(FileNotFoundError):
            subs.remove(prefix, taker)
    subs.remove("foo", "one")
    with pytest.raises(FileNotFoundError):
        subs.remove("foo", "one")
    assert subs.wanting("foo") == []


takers = st.sampled_from("xyz")


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(["add", "remove", "drop"]), prefixes, takers), max_size=30),
    prefixes,
)
def test_subscribers_against_a_model(steps: list[tuple[str, str, str]], topic: str) -> None:
    subs, model = Subscribers[str](), Counter[tuple[str, str]]()
    for what, prefix, taker in steps:
        if what == "add":
            subs.add(prefix, taker)
            model[prefix, taker] += 1
        elif what == "drop":
            subs.drop(taker)
            model = Counter({key: count for key, count in model.items() if key[1] != taker})
        elif model[prefix, taker]:
            subs.remove(prefix, taker)
            model[prefix, taker] -= 1
        held = [key for key, count in model.items() if count]
        wanting = subs.wanting(topic)
        assert len(wanting) == len(set(wanting))
        assert set(wanting) == {who for known, who in held if topic.startswith(known)}


@pytest.mark.timeout(10)
def test_many_come_and_go_without_any_being_looked_at() -> None:
    subs = Subscribers[str]()
    for number in range(100_000):  # minutes if each looked at all
        subs.add(f"topic.{number}", "one")
        assert subs.wanting("topic") == []
    assert subs.wanting("topic.99999") == ["one"]
    for number in range(100_000):
        subs.remove(f"topic.{number}", "one")
    assert subs.wanting("topic.99999") == []
