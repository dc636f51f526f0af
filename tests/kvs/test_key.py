import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs import key


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a", "a"),
        ("a.b", "a.b"),
        ("a..b", "a.b"),
        (".a.", "a"),
        ("...a...b...", "a.b"),
        (".", "."),
        ("....", "."),
        ("", ""),
        ("a/b", "a/b"),
    ],
)
def test_normalize(text: str, normal: str) -> None:
    assert key.normalize(text) == normal


@given(st.text(alphabet="ab.", max_size=12))
def test_normalize_keeps_the_names_and_is_done_once(text: str) -> None:
    normal = key.normalize(text)
    assert key.normalize(normal) == normal
    names = [name for name in text.split(".") if name]
    assert normal == (".".join(names) if names else "." if text else "")


def test_join_and_split() -> None:
    assert key.join(".", "a") == "a"
    assert key.join("a.b", "c") == "a.b.c"
    assert key.split("a.b.c") == ["a", "b", "c"]


@pytest.mark.parametrize(("namespace", "target"), [(None, "d"), ("other", "d.e"), ("n", ".")])
def test_a_link_as_the_commands_show_it(namespace: str | None, target: str) -> None:
    assert key.parse_link(key.format_link(target, namespace)) == (namespace, target)


def test_a_link_to_another_namespace_is_shown_with_two_colons() -> None:
    assert key.format_link("d", "other") == "other::d"
