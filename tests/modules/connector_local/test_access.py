"""Who may connect, as what, and what they may see (CONTRACTS A4, A5)."""

import errno
from typing import Any

import pytest

from fluxcore.modules.connector_local.access import AccessPolicy, Credentials
from fluxcore.wire import constants as c
from fluxcore.wire.message import event, request

OWNER = c.ROLE_OWNER | c.ROLE_LOCAL
GUEST = c.ROLE_USER | c.ROLE_LOCAL


@pytest.mark.parametrize(
    ("access", "owner", "root", "other"),
    [
        ({}, OWNER, 0, 0),
        ({"allow-guest-user": True}, OWNER, GUEST, GUEST),
        ({"allow-root-owner": True}, OWNER, OWNER, 0),
        ({"allow-guest-user": True, "allow-root-owner": True}, OWNER, OWNER, GUEST),
        ({"allow-guest-user": False, "allow-root-owner": False}, OWNER, 0, 0),
    ],
)
def test_roles(access: dict[str, Any], owner: int, root: int, other: int) -> None:
    policy = AccessPolicy.from_conf(100, {"access": access})
    assert [policy.rolemask(userid) for userid in (100, 0, 200)] == [owner, root, other]


def test_without_a_table_only_the_owner() -> None:
    assert AccessPolicy.from_conf(100, {}) == AccessPolicy(100)


@pytest.mark.parametrize(
    ("access", "text"),
    [
        (5, "no table"),
        ([], "no table"),
        ({"allow-guest": True}, "unknown key allow-guest"),
        ({"allow-guest-user": "true"}, "allow-guest-user is no boolean"),
        ({"allow-root-owner": 1}, "allow-root-owner is no boolean"),
    ],
)
def test_a_table_that_is_wrong(access: Any, text: str) -> None:
    with pytest.raises(OSError) as caught:
        AccessPolicy.from_conf(100, {"access": access})
    assert caught.value.errno == errno.EINVAL
    assert caught.value.strerror == f"error parsing [access] configuration: {text}"


@pytest.mark.parametrize(
    ("creds", "claimed", "stamped"),
    [
        # the owner may pose as anybody
        (Credentials(100, OWNER), (c.USERID_UNKNOWN, 0), (100, OWNER)),
        (Credentials(100, OWNER), (200, c.ROLE_USER), (200, c.ROLE_USER)),
        (Credentials(100, OWNER), (200, 0), (200, OWNER)),
        (Credentials(100, OWNER), (c.USERID_UNKNOWN, c.ROLE_USER), (100, c.ROLE_USER)),
        # a guest is itself
        (Credentials(200, GUEST), (c.USERID_UNKNOWN, 0), (200, GUEST)),
        (Credentials(200, GUEST), (100, OWNER), (200, GUEST)),
        (Credentials(200, GUEST), (0, 0xFFFFFFFF), (200, GUEST)),
    ],
)
def test_what_a_connection_may_claim(
    creds: Credentials, claimed: tuple[int, int], stamped: tuple[int, int]
) -> None:
    msg = request("a", userid=claimed[0], rolemask=claimed[1])
    creds.stamp(msg)
    assert (msg.userid, msg.rolemask) == stamped


@pytest.mark.parametrize(
    ("userid", "rolemask", "flags", "sender", "seen"),
    [
        (200, GUEST, 0, 100, True),
        (200, GUEST, c.PRIVATE, 100, False),
        (200, GUEST, c.PRIVATE, 200, True),
        (100, OWNER, c.PRIVATE, 200, True),
    ],
)
def test_private_events(userid: int, rolemask: int, flags: int, sender: int, seen: bool) -> None:
    assert Credentials(userid, rolemask).may_see(event("a", flags=flags, userid=sender)) is seen
