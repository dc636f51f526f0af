"""Urgency and flags of a submission: how they are written, and who may ask for what."""

import errno

import pytest

from fluxcore.job import submission as s


@pytest.mark.parametrize(
    ("text", "urgency"), [("7", 7), ("99", 99), ("hold", 0), ("Default", 16), ("expedite", 31)]
)
def test_urgencies(text: str, urgency: int) -> None:
    assert s.parse_urgency(text) == urgency


def test_no_urgency() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        s.parse_urgency("soon")


def test_flags() -> None:
    assert s.parse_flags([]) == 0
    assert s.parse_flags(["debug,waitable", "novalidate"]) == 14
    with pytest.raises(ValueError, match="--flags: Unknown flag nosuch"):
        s.parse_flags(["debug,nosuch"])


@pytest.mark.parametrize(
    ("urgency", "flags", "owner", "errnum", "text"),
    [
        (16, 1, True, errno.EPROTO, "invalid job flags"),
        (16, 64, True, errno.EPROTO, "invalid job flags"),
        (
            16,
            s.FLAG_NOVALIDATE,
            False,
            errno.EPERM,
            "only the instance owner can submit with FLUX_JOB_NOVALIDATE",
        ),
        (32, 0, True, errno.EINVAL, "urgency range is [0:31]"),
        (-1, 0, True, errno.EINVAL, "urgency range is [0:31]"),
        (17, 0, False, errno.EINVAL, "only the instance owner can submit with urgency >16"),
        (
            16,
            s.FLAG_WAITABLE,
            False,
            errno.EINVAL,
            "only the instance owner can submit with FLUX_JOB_WAITABLE",
        ),
    ],
)
def test_what_may_not_be_asked_for(
    urgency: int, flags: int, owner: bool, errnum: int, text: str
) -> None:
    with pytest.raises(OSError) as caught:
        s.check(urgency, flags, is_owner=owner)
    assert (caught.value.errno, caught.value.strerror) == (errnum, text)


def test_what_may() -> None:
    s.check(31, 14, is_owner=True)
    s.check(16, s.FLAG_DEBUG, is_owner=False)
