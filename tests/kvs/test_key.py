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


def test_a_link_as_the_commands_show_it() -> None:
    assert key.format_link("d", None) == "d"
    assert key.format_link("d.e", "other") == "other::d.e"
