"""Reading the keys of a payload: a wrong type is EPROTO, never a surprise later."""

from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.wire.errors import PayloadError
from fluxcore.wire.payload import (
    need_dict,
    need_int,
    need_list,
    need_str,
    opt_bool,
    opt_int,
    opt_str,
)

VALUES: dict[str, Any] = {
    "str": "a",
    "int": 1,
    "list": [1],
    "dict": {"a": 1},
    "bool": True,
    "float": 1.5,
    "null": None,
}


@pytest.mark.parametrize(
    ("read", "kind"),
    [(need_str, "str"), (need_int, "int"), (need_list, "list"), (need_dict, "dict")],
)
def test_a_needed_key(read: Callable[[Any, str], Any], kind: str) -> None:
    for name, value in VALUES.items():
        if name == kind:
            assert read(VALUES, name) == value
        else:
            with pytest.raises(PayloadError):
                read(VALUES, name)
    with pytest.raises(PayloadError):
        read(VALUES, "absent")


@pytest.mark.parametrize(
    ("read", "kind", "default"),
    [
        (lambda p, k: opt_str(p, k), "str", None),
        (lambda p, k: opt_int(p, k, 5), "int", 5),
        (lambda p, k: opt_bool(p, k), "bool", False),
        (lambda p, k: opt_bool(p, k, True), "bool", True),
    ],
)
def test_a_key_that_may_be_absent(
    read: Callable[[Any, str], Any], kind: str, default: object
) -> None:
    assert read(VALUES, "absent") == default
    for name, value in VALUES.items():
        if name == kind:
            assert read(VALUES, name) == value
        else:
            with pytest.raises(PayloadError):
                read(VALUES, name)
