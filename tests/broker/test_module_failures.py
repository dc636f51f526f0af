"""Modules that end or fail while they run, and what becomes of the broker (A28)."""

import errno
import os

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.instance import NO_RC, MakeLocal
from support.modules import ECHO, WriteModule, every_placement, listed, load
from support.refused import refused


@every_placement
async def test_a_module_that_ends_by_itself(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    assert await refused(flux.rpc("echo.die", {"errnum": 0})) == (
        errno.EHOSTUNREACH,
        "module disconnect",
    )
    assert "echo" not in await listed(flux)


@every_placement
async def test_a_module_that_fails_ends_the_broker(
    local_instance: MakeLocal,
    write_module: WriteModule,
    placement: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with (
        local_instance(1, setattrs=NO_RC, exit_codes=[1]) as inst,
        await inst.connect() as flux,
    ):
        await load(flux, write_module("echo", ECHO, placement))
        flux.notify("echo.die", {"errnum": 33})
        lost = flux.loop.create_future()
        flux.on_disconnect(lost.set_result)
        await lost
    err = capsys.readouterr().err
    assert "echo.err[0]: echo: as told" in err
    assert "broker.crit[0]: echo module runtime failure" in err


@every_placement
async def test_unless_the_broker_is_told_not_to_panic(
    local_instance: MakeLocal, write_module: WriteModule, placement: str
) -> None:
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", ECHO, placement))
        assert (await refused(flux.rpc("echo.die", {"errnum": 33})))[0] == errno.EHOSTUNREACH
        assert "echo" not in await listed(flux)
        assert (await flux.rpc("state-machine.get")).json["state"] == "run"


@pytest.mark.slow
async def test_a_process_that_is_killed(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", ECHO, "process"))
        pid = (await flux.rpc("parrot.say")).json["pid"]
        waiting = [flux.rpc("echo.never"), flux.rpc("echo.never", flags=c.STREAMING)]
        await flux.rpc("echo.say", {})
        os.kill(pid, 9)
        for call in waiting:
            assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")
        assert "echo" not in await listed(flux)


async def test_a_thread_that_ends_without_a_word(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    body = "    @method('.exit')\n    def bye(self, req):\n        sys.exit(0)"
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", body))
        assert (await refused(flux.rpc("echo.exit")))[0] == errno.EHOSTUNREACH
        assert "echo" not in await listed(flux)


@every_placement
async def test_what_is_left_at_the_end_is_ended(
    local_instance: MakeLocal,
    write_module: WriteModule,
    placement: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in flux-core, it is said, and the exit code tells."""
    async with (
        local_instance(1, setattrs=NO_RC, exit_codes=[1]) as inst,
        await inst.connect() as flux,
    ):
        await load(flux, write_module("echo", ECHO, placement))
    assert "broker module 'echo' was not properly shut down" in capsys.readouterr().err
