"""Which rank a request reaches, and what is served on rank 0 alone."""

import errno
import os

from fluxcore.wire import constants as c
from support.instance import NO_RC, MakeLocal
from support.refused import refused


async def test_ranks_and_routes(
    local_instance: MakeLocal,
) -> None:
    async with local_instance(7, setattrs=NO_RC) as inst, await inst.connect(6) as flux:
        for rank in range(7):
            answer = (await flux.rpc("broker.ping", {}, nodeid=rank)).json
            assert answer["rank"] == rank
            assert bool(answer["rolemask"] & c.ROLE_LOCAL) is (rank == 6)
        up = (await flux.rpc("broker.ping", {}, nodeid=6, flags=c.UPSTREAM)).json
        assert up["rank"] == 2
        for nodeid in (7, 1000, c.NODEID_ANY - 1):
            error = await refused(flux.rpc("broker.ping", {}, nodeid=nodeid))
            assert error == (errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        text = "No service matching nope.x is registered"
        for nodeid in (c.NODEID_ANY, 6, 5, 0):
            assert await refused(flux.rpc("nope.x", nodeid=nodeid)) == (errno.ENOSYS, text)
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect(0) as flux:
        error = await refused(flux.rpc("broker.ping", {}, nodeid=0, flags=c.UPSTREAM))
        assert error[0] == errno.EHOSTUNREACH


async def test_shutdown_twice_and_from_the_wrong_rank(
    local_instance: MakeLocal,
) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect(1) as flux:
        assert await refused(flux.rpc("shutdown.start", nodeid=1)) == (
            errno.EINVAL,
            "shutdown may only be initiated on rank 0",
        )
        assert await refused(flux.rpc("event.publish", {"topic": "a", "flags": 0}, nodeid=1)) == (
            errno.EPROTO,
            "this service is only available on rank 0",
        )
        error = await refused(flux.rpc("config.load", {"a": 1}, nodeid=1))
        assert error == (errno.EINVAL, "configuration can only be changed on rank 0")
