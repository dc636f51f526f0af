"""Attributes: what may be set by whom, and when (CONTRACTS A30, B9)."""

import errno

import pytest

from fluxcore.broker.attributes import Attributes


def failure(what: object, *args: object) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:
        what(*args)
    return caught.value.errno, caught.value.strerror


def test_a_name_that_is_not_in_the_table() -> None:
    attrs = Attributes()
    unknown = (errno.ENOENT, "unknown attribute")
    assert failure(attrs.set, "nosuch", "1") == unknown
    assert failure(attrs.set_on_command_line, "nosuch", "1") == unknown
    assert failure(attrs.check_update, "nosuch", False) == unknown
    assert failure(attrs.check_update, "nosuch", True) == unknown


def test_globs() -> None:
    attrs = Attributes()
    for name in ("test.x", "test-nr.y", "vendor.a.b"):
        attrs.set(name, "1")
        assert attrs[name] == "1"
    assert failure(attrs.set, "testx", "1")[0] == errno.ENOENT


def test_the_broker_sets_what_it_likes_but_the_immutable_only_once() -> None:
    attrs = Attributes()
    attrs.set("rank", 3)
    assert attrs["rank"] == "3"
    assert failure(attrs.set, "rank", 4)[0] == errno.EPERM
    attrs.set("tbon.level", 1)
    attrs.set("tbon.level", 2)
    assert attrs["tbon.level"] == "2"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("rank", "attribute may not be set on the command line"),
        ("test-ro.x", "attribute may not be set on the command line"),
        ("log-level", None),
        ("test-im.x", None),
        ("broker.rc1_path", None),
    ],
)
def test_the_command_line(name: str, error: str | None) -> None:
    attrs = Attributes()
    if error is not None:
        assert failure(attrs.set_on_command_line, name, "1") == (errno.EINVAL, error)
        return
    attrs.set_on_command_line(name, "1")
    attrs.set_on_command_line(name, "2")
    assert attrs[name] == "2", "the last one on the line counts"


@pytest.mark.parametrize(
    ("name", "set_before", "force", "error"),
    [
        ("test.x", False, False, None),
        ("test.x", True, False, None),
        ("test-nr.x", False, False, None),  # not set yet: that is no update
        ("test-nr.x", True, False, "attribute may not be updated"),
        ("test-nr.x", True, True, None),
        ("rundir", True, False, "attribute may not be updated"),
    ],
)
def test_an_update_while_the_broker_runs(
    name: str, set_before: bool, force: bool, error: str | None
) -> None:
    attrs = Attributes()
    if set_before:
        attrs.set(name, "1")
    if error is not None:
        assert failure(attrs.check_update, name, force) == (errno.EINVAL, error)
    else:
        attrs.check_update(name, force)


def test_removing() -> None:
    attrs = Attributes()
    attrs.set("rank", 0)
    attrs.set("test.x", "1")
    assert failure(attrs.remove, "rank")[0] == errno.EPERM
    attrs.remove("test.x")
    attrs.remove("test.x")
    attrs.remove("nosuch")
    assert "test.x" not in attrs
    assert attrs.get("test.x") is None
    assert failure(attrs.__getitem__, "test.x")[0] == errno.ENOENT


def test_an_attribute_can_be_set_without_a_value() -> None:
    attrs = Attributes()
    attrs.set("parent-uri", None)
    assert "parent-uri" in attrs
    assert list(attrs) == ["parent-uri"]
    assert attrs.get("parent-uri") is None
    assert attrs.immutables() == {}
    assert attrs.setdefault("log-level", 7) == "7"
    assert attrs.setdefault("log-level", 5) == "7"


def test_a_module_is_told_what_never_changes() -> None:
    attrs = Attributes()
    for name, value in (("rank", 1), ("size", 2), ("test.x", 3), ("vendor.y", 4)):
        attrs.set(name, value)
    assert attrs.immutables() == {"rank": "1", "size": "2", "vendor.y": "4"}
    assert [attrs.immutable(name) for name in attrs] == [True, True, False, True]
