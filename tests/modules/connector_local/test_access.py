"""Who may connect, as what, and what they may see (CONTRACTS A4, A5)."""

import errno
import grp
import os
import pwd
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
    assert [policy.rolemask(userid, fail) for userid in (100, 0, 200)] == [owner, root, other]


def fail(text: str) -> None:
    raise AssertionError(text)


ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(
    ("admin", "mine", "warnings"),
    [
        ({"users": [ME]}, GUEST | c.ROLE_ADMIN, []),
        ({"users": ["nosuchuser", ME]}, GUEST | c.ROLE_ADMIN, ["user 'nosuchuser'"]),
        ({"users": ["nosuchuser"]}, GUEST, ["user 'nosuchuser'"]),
        ({"groups": ["nosuchgroup"]}, GUEST, ["group 'nosuchgroup'"]),
        ({"groups": [], "users": []}, GUEST, []),
        ({}, GUEST, []),
    ],
)
def test_a_guest_may_have_more_roles(admin: Any, mine: int, warnings: list[str]) -> None:
    """The owner needs none, and has none."""
    access = {"allow-guest-user": True, "roles": {"admin": admin}}
    policy = AccessPolicy.from_conf(4_000_000, {"access": access})
    said: list[str] = []
    assert policy.rolemask(os.getuid(), said.append) == mine
    assert said == [f"[access.roles] ignoring unknown {text}" for text in warnings]
    assert policy.rolemask(4_000_000, fail) == OWNER
    assert policy.rolemask(4_000_001, said.append) == GUEST


def test_members_of_a_group_have_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    group = grp.struct_group(("g", "x", 5, [ME]))
    monkeypatch.setattr(grp, "getgrnam", {"g": group}.__getitem__)
    access = {"allow-guest-user": True, "roles": {"admin": {"groups": ["g"]}}}
    policy = AccessPolicy.from_conf(4_000_000, {"access": access})
    assert policy.rolemask(os.getuid(), fail) == GUEST | c.ROLE_ADMIN
    assert policy.rolemask(4_000_001, fail) == GUEST


@pytest.mark.parametrize(
    ("roles", "text"),
    [
        (5, "[access.roles] must be a table"),
        ({"operator": {}}, "unknown role 'operator' in [access.roles]"),
        ({"admin": 5}, "[access.roles.admin]: no table"),
        ({"admin": {"userz": []}}, "[access.roles.admin]: unknown key userz"),
        ({"admin": {"users": ME}}, "[access.roles.admin] users must be a string array"),
        ({"admin": {"groups": [5]}}, "[access.roles.admin] groups must be a string array"),
    ],
)
def test_roles_that_are_wrong(roles: Any, text: str) -> None:
    with pytest.raises(OSError) as caught:
        AccessPolicy.from_conf(100, {"access": {"roles": roles}})
    assert (caught.value.errno, caught.value.strerror) == (errno.EINVAL, text)


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
        ({"private-mode": 1}, "private-mode is no boolean"),
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
