"""The service of attributes (CONTRACTS A30)."""

import errno
import os

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import Method
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message
from support.refused import ENOENT, EPROTO, OWNER_ONLY, refused


async def test_attributes(flux: Flux) -> None:
    answer = (await flux.rpc("attr.get", {"name": "size"})).json
    assert answer == {"value": "1", "flags": 1}
    assert (await flux.rpc("attr.get", {"name": "log-stderr-level"})).json["flags"] == 0
    await flux.rpc("attr.set", {"name": "test.x", "value": "1"})
    names = (await flux.rpc("attr.list")).json["names"]
    assert {"rank", "size", "local-uri", "test.x"} <= set(names)
    await flux.rpc("attr.set", {"name": "test.x", "value": "2"})
    assert await flux.attr("test.x") == "2"
    await flux.rpc("attr.rm", {"name": "test.x"})
    assert await refused(flux.rpc("attr.get", {"name": "test.x"})) == ENOENT


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("attr.get", {"name": "nosuch"}, ENOENT),
        ("attr.get", {}, EPROTO),
        ("attr.get", {"name": 1}, EPROTO),
        ("attr.get", None, EPROTO),
        ("attr.get", b"{}", EPROTO),
        ("attr.set", {"name": "nosuch", "value": "1"}, (errno.ENOENT, "unknown attribute")),
        (
            "attr.set",
            {"name": "rundir", "value": "/x"},
            (errno.EINVAL, "attribute may not be updated"),
        ),
        ("attr.set", {"name": "rank", "value": "5", "force": True}, (errno.EPERM, None)),
        ("attr.set", {"name": "test.x", "value": 1}, EPROTO),
        ("attr.set", {"name": "test.x"}, EPROTO),
        ("attr.set", {"name": "test.x", "value": "1", "force": 1}, EPROTO),
        ("attr.rm", {"name": "rank"}, (errno.EPERM, None)),
        (
            "attr.set",
            {"name": "log-stderr-level", "value": "9"},
            (errno.EINVAL, "invalid level"),
        ),
        (
            "attr.set",
            {"name": "test-rd.x", "value": "1"},
            (errno.ENOSYS, "No service matching testrd.setattr is registered"),
        ),
    ],
)
async def test_attribute_errors(
    flux: Flux, topic: str, payload: object, error: tuple[int, str | None]
) -> None:
    errnum, text = await refused(flux.rpc(topic, payload))
    assert (errnum, text) == (error[0], error[1] or os.strerror(error[0]))


async def test_an_attribute_that_another_service_approves_of(flux: Flux) -> None:
    asked: list[dict[str, str]] = []

    def approve(req: Message) -> None:
        asked.append(req.json)
        if req.json["value"] == "bad":
            raise OSError(errno.EDOM, "not that")

    flux.core.add_method("testrd.setattr", Method(approve, c.ROLE_ALL))
    await flux.add_service("testrd")
    await flux.rpc("attr.set", {"name": "test-rd.x", "value": "good"})
    assert asked == [{"name": "test-rd.x", "value": "good"}]
    error = await refused(flux.rpc("attr.set", {"name": "test-rd.x", "value": "bad"}))
    assert error == (errno.EDOM, "not that")
    assert await flux.attr("test-rd.x") == "good"


async def test_who_may_use_attributes(guest: Flux) -> None:
    assert await guest.attr("size") == "1"
    for topic in ("attr.set", "attr.rm"):
        assert await refused(guest.rpc(topic, {"name": "test.x", "value": "1"})) == OWNER_ONLY
