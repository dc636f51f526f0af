"""Services that clients offer (CONTRACTS A9)."""

import errno

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import DEFERRED, Method
from fluxcore.wire import constants as c
from support.instance import LocalInstance
from support.refused import EINVAL, ENOENT, EPROTO, refused


async def test_a_client_serves(one: LocalInstance, flux: Flux) -> None:
    flux.core.add_method("potato.mash", Method(lambda req: {"of": req.routes[0]}, c.ROLE_ALL))
    await flux.add_service("potato")
    async with await one.connect() as other:
        first = (await other.rpc("potato.mash")).json
        assert (await other.rpc("potato.mash")).json == first
        assert await refused(other.rpc("potato.fry")) == (
            errno.ENOSYS,
            "Unknown service method 'potato.fry'",
        )
        for client in (flux, other):
            assert await refused(client.add_service("potato")) == (errno.EEXIST, "File exists")
        assert await refused(other.remove_service("potato")) == ENOENT
        await flux.remove_service("potato")
        assert await refused(other.rpc("potato.mash")) == (
            errno.ENOSYS,
            "No service matching potato.mash is registered",
        )
        await other.add_service("potato")


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("service.add", {"service": "a.b"}, EINVAL),
        ("service.add", {"service": ""}, EINVAL),
        ("service.add", {"service": "log"}, (errno.EEXIST, "File exists")),
        ("service.add", {"service": "config"}, (errno.EEXIST, "File exists")),
        ("service.add", {}, EPROTO),
        ("service.remove", {"service": "nosuch"}, ENOENT),
        ("service.remove", {"service": "log"}, ENOENT),
        ("service.remove", {}, EPROTO),
    ],
)
async def test_service_errors(
    flux: Flux, topic: str, payload: object, error: tuple[int, str]
) -> None:
    assert await refused(flux.rpc(topic, payload)) == error
    assert await refused(flux.rpc(topic, payload)) == error, "it has left nothing behind"


async def test_a_client_that_goes_takes_its_service_and_answers_nobody(
    one: LocalInstance, flux: Flux
) -> None:
    other = await one.connect()
    await other.add_service("potato")
    asked = flux.loop.create_future()
    other.core.set_fallback(Method(lambda req: asked.set_result(req) or _deferred(), c.ROLE_ALL))
    call = flux.rpc("potato.mash")
    await asked
    await other.close()
    assert await refused(call) == (errno.EHOSTUNREACH, "service disconnect")
    assert (await refused(flux.rpc("potato.mash")))[0] == errno.ENOSYS
    await flux.add_service("potato")


def _deferred() -> object:
    return DEFERRED
