"""Subscriptions against a model that counts (CONTRACTS A8)."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.handle.subscriptions import Subscriptions

prefixes = st.text("ab.", max_size=3)


def test_a_prefix_matches_what_begins_with_it() -> None:
    subs = Subscriptions()
    assert not subs.match("foo")
    assert subs.add("foo")
    assert [subs.match(t) for t in ("foo", "foobar", "foo.bar", "fo", "xfoo", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert subs.add("")
    assert subs.match("anything")


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
@given(st.lists(st.tuples(st.booleans(), prefixes, prefixes), max_size=30))
def test_against_a_model(steps: list[tuple[bool, str, str]]) -> None:
    subs, model = Subscriptions(), Counter[str]()
    for adding, prefix, topic in steps:
        if adding:
            assert subs.add(prefix) is (model[prefix] == 0)
            model[prefix] += 1
        elif model[prefix]:
            model[prefix] -= 1
            assert subs.remove(prefix) is (model[prefix] == 0)
        held = {known for known, count in model.items() if count}
        assert set(subs) == held
        assert bool(subs) is bool(held)
        assert subs.match(topic) is any(topic.startswith(known) for known in held)


@pytest.mark.timeout(10)
def test_many_come_and_go_without_any_being_looked_at() -> None:
    subs = Subscriptions()
    for number in range(100_000):  # half a minute and more if each looked at all
        subs.add(f"topic.{number}")
    assert subs.match("topic.99999")
    for prefix in subs:
        subs.remove(prefix)
    assert not subs
    assert not subs.match("topic.99999")


def test_what_is_remembered_of_topics_is_bounded() -> None:
    subs = Subscriptions()
    subs.add("a")
    for n in range(3 * Subscriptions.MEMORY):
        assert subs.match(f"a{n}")
    assert len(subs._known) <= Subscriptions.MEMORY


def test_a_topic_without_end_is_not_remembered() -> None:
    subs = Subscriptions()
    subs.add("a")
    assert subs.match("a" * 1_000_000)
    assert not subs.match("b" * 1_000_000)
    assert subs._known == {}
