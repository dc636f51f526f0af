"""Removing modules: those that stop, those that do not, and those not yet begun (A23, A27)."""

import asyncio
import errno
from pathlib import Path

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.modules import ECHO, WriteModule, every_placement, listed, load, remove
from support.refused import ENOENT, refused


async def test_a_remove_that_is_refused(flux: Flux) -> None:
    assert await refused(remove(flux, "nosuch")) == ENOENT
    assert await refused(remove(flux, "nosuch", cancel=True)) == ENOENT
    assert (await refused(flux.rpc("module.remove", {})))[0] == errno.EPROTO


@every_placement
async def test_a_stop_takes_its_time_or_fails(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("echo", ECHO, placement)
    for arg in ("stop=slow", "stop=fault"):
        await load(flux, path, arg)
        await asyncio.gather(remove(flux, "echo"), remove(flux, "echo"))
        assert "echo" not in await listed(flux)


@every_placement
async def test_who_waits_for_a_module_that_is_removed(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    """CONTRACTS A27."""
    await load(flux, write_module("echo", ECHO, placement))
    waiting = [flux.rpc("echo.never"), flux.rpc("echo.never", flags=c.STREAMING)]
    await flux.rpc("echo.say", {})
    await remove(flux, "echo")
    for call in waiting:
        assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")


STUCK = """
    async def start(self):
        if "start" in self.args:
            await asyncio.Event().wait()

    async def stop(self):
        await asyncio.Event().wait()

    @method(".hang")
    def hang(self, req):
        while not os.path.exists(self.args[-1]):
            time.sleep(0.001)
        return None
"""


@every_placement
async def test_a_module_that_never_stops_is_cancelled(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("stuck", STUCK, placement)
    await load(flux, path)
    removing = asyncio.ensure_future(remove(flux, "stuck"))
    await flux.rpc("module.list")
    assert not removing.done()
    await remove(flux, "stuck", cancel=True)
    await removing
    assert "stuck" not in await listed(flux)
    await load(flux, path)
    await remove(flux, "stuck", cancel=True)


async def test_a_module_that_is_cancelled_before_it_begins_is_gone_at_once(flux: Flux) -> None:
    loading = flux.rpc("module.load", {"path": "barrier", "args": []})
    before = flux.loop.time()
    await remove(flux, "barrier", cancel=True)
    assert flux.loop.time() - before < 0.5, "nothing is left that would have to be waited for"
    assert (await refused(loading))[0] == errno.ECANCELED
    assert "barrier" not in await listed(flux)


@every_placement
async def test_a_module_that_never_starts_is_cancelled(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("stuck", STUCK, placement)
    loading = asyncio.ensure_future(load(flux, path, "start"))
    early = flux.rpc("stuck.ping", {})
    while "stuck" not in await listed(flux):
        """The load begins with a file that is read in another thread."""
    assert (await listed(flux))["stuck"]["status"] == 0
    await remove(flux, "stuck", cancel=True)
    assert (await refused(loading))[0] == errno.ECANCELED
    assert (await refused(early))[0] == errno.ENOSYS
    assert "stuck" not in await listed(flux)


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["thread", "process"])
async def test_code_that_does_not_return(
    flux: Flux, write_module: WriteModule, tmp_path: Path, placement: str
) -> None:
    """The broker lives on; a thread that cannot be stopped is left to itself, and not heard."""
    path, free = write_module("stuck", STUCK, placement), tmp_path / "free"
    await load(flux, path, str(free))
    call = flux.rpc("stuck.hang")
    assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1
    await remove(flux, "stuck", cancel=True)
    assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")
    await load(flux, path, str(free))
    assert (await flux.rpc("stuck.ping", {"n": 1})).json["n"] == 1
    free.write_text("")
    await remove(flux, "stuck", cancel=True)
