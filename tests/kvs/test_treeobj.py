import errno
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs import treeobj
from fluxcore.kvs.blobref import blobref

REF = blobref(b"x")
REFS = st.binary(max_size=4).map(blobref)
LEAVES = st.one_of(
    st.binary(max_size=80).map(treeobj.make_val),
    st.lists(REFS, min_size=1, max_size=4).map(treeobj.make_valref),
    REFS.map(treeobj.make_dirref),
    st.builds(treeobj.make_symlink, st.text(), st.none() | st.text()),
)
TREEOBJS = st.recursive(
    LEAVES,
    lambda entries: st.dictionaries(st.text(), entries, max_size=4).map(treeobj.make_dir),
    max_leaves=12,
)


@pytest.mark.slow
@given(TREEOBJS)
def test_what_is_made_is_valid_and_comes_back(obj: treeobj.Treeobj) -> None:
    assert treeobj.validate(obj) is obj
    assert treeobj.decode(treeobj.encode(obj)) == obj


@pytest.mark.slow
@given(TREEOBJS)
def test_the_canonical_form_is_compact_with_sorted_keys(obj: treeobj.Treeobj) -> None:
    text = json.dumps(obj, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    # json writes control characters with lower-case digits; no value of ours is in the way.
    assert treeobj.encode(obj).lower() == text.encode().lower()
    assert treeobj.text_kind(treeobj.encode(obj)) == obj["type"]


@given(st.lists(REFS, min_size=1, max_size=5), REFS)
def test_a_valref_grows_at_its_end(refs: list[str], more: str) -> None:
    grown = treeobj.grow_valref(treeobj.encode(treeobj.make_valref(refs)), more)
    assert grown == treeobj.encode(treeobj.make_valref([*refs, more]))


def test_control_characters_have_upper_case_digits_and_no_others_change() -> None:
    # Recorded from flux-core; the second text holds a backslash before its u.
    assert treeobj.encode('c\x01\x1f\x7fé🥔"\\/\b') == (
        b'"c\\u0001\\u001F\x7f' + "é🥔".encode() + b'\\"\\\\/\\b"'
    )
    assert treeobj.encode("\\u001f\x1f\x1e\\\x1d") == b'"\\\\u001f\\u001F\\u001E\\\\\\u001D"'


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert orjson.loads(treeobj.encode(text)) == text


@pytest.mark.parametrize(
    "obj",
    [
        None,
        [],
        "val",
        {},
        {"ver": 1, "type": "val"},
        {"ver": 2, "type": "val", "data": ""},
        {"ver": True, "type": "val", "data": ""},
        {"ver": 1, "type": "val", "data": "", "more": 1},
        {"ver": 1, "type": "val", "data": 1},
        {"ver": 1, "type": "hdir", "data": {}},
        {"ver": 1, "type": ["val"], "data": ""},
        {"ver": 1, "type": "valref", "data": []},
        {"ver": 1, "type": "valref", "data": "sha1-"},
        {"ver": 1, "type": "valref", "data": [REF, "sha1-12"]},
        {"ver": 1, "type": "dirref", "data": [None]},
        {"ver": 1, "type": "dir", "data": []},
        {"ver": 1, "type": "dir", "data": {"a": {"ver": 1, "type": "dir", "data": {"b": 1}}}},
        {"ver": 1, "type": "symlink", "data": "a"},
        {"ver": 1, "type": "symlink", "data": {}},
        {"ver": 1, "type": "symlink", "data": {"target": 1}},
        {"ver": 1, "type": "symlink", "data": {"target": "a", "namespace": 1}},
    ],
)
def test_what_is_no_tree_object(obj: object) -> None:
    with pytest.raises(OSError) as caught:
        treeobj.validate(obj)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        treeobj.decode(orjson.dumps(obj))
    assert caught.value.errno == errno.EPROTO


def test_text_that_is_no_json_holds_no_tree_object() -> None:
    with pytest.raises(OSError) as caught:
        treeobj.decode(b"{")
    assert caught.value.errno == errno.EPROTO


def test_a_deep_tree_is_checked_without_recursion() -> None:
    obj = treeobj.make_dir()
    for _ in range(5000):
        obj = treeobj.make_dir({"d": obj})
    assert treeobj.is_valid(obj)


def test_a_value_may_lack_its_padding() -> None:
    assert treeobj.val_bytes({"ver": 1, "type": "val", "data": "MTIzNA"}) == b"1234"
    with pytest.raises(OSError) as caught:
        treeobj.val_bytes({"ver": 1, "type": "val", "data": "!!!!"})
    assert caught.value.errno == errno.EINVAL
