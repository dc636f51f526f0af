"""Loading, running, removing and reloading modules in the three placements (A20-A28)."""

import errno
import os
from pathlib import Path

from fluxcore.handle.aio import Flux
from support.modules import ECHO, WriteModule, every_placement, listed, load, remove
from support.refused import EEXIST, refused


@every_placement
async def test_a_whole_life(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    await load(flux, path, "x=1", "y")
    entry = (await listed(flux))["echo"]
    assert entry.pop("idle") == 0
    assert entry == {
        "name": "echo",
        "path": path,
        "status": 1,
        "services": ["echo", "parrot"],
        "sendqueue": 0,
        "recvqueue": 0,
    }
    assert (await flux.rpc("echo.say", {"n": 1})).json == {"n": 1}
    parrot = (await flux.rpc("parrot.say")).json
    assert (parrot["pid"] == os.getpid()) is (placement != "process")
    assert (parrot["args"], parrot["rank"], parrot["size"]) == (["x=1", "y"], 0, 1)
    assert (await flux.rpc("echo.ask", {"n": 2})).json == {"again": 2}
    flux.publish("echo-test.a")
    await flux.rpc("event.publish", {"topic": "echo-test.b", "flags": 0})
    assert (await flux.rpc("echo.heard")).json == {"heard": ["echo-test.a", "echo-test.b"]}
    assert (await flux.rpc("echo.ping", {"seq": 3})).json["seq"] == 3
    await remove(flux, "echo")
    assert "echo" not in await listed(flux)
    error = await refused(flux.rpc("echo.say", {}))
    assert error == (errno.ENOSYS, "No service matching echo.say is registered")
    await load(flux, path)
    await remove(flux, path)


@every_placement
async def test_under_another_name(flux: Flux, write_module: WriteModule, placement: str) -> None:
    body = "    @method('.say')\n    def say(self, req):\n        return {'name': self.flux.name}"
    path = write_module("echo", body, placement)
    await load(flux, path, name="one")
    await load(flux, path, name="two")
    for name in ("one", "two"):
        assert (await flux.rpc(f"{name}.say")).json == {"name": name}
    assert "echo" not in await listed(flux)
    await remove(flux, "one")
    await remove(flux, "two")


async def test_the_class_may_name_it(flux: Flux, write_module: WriteModule) -> None:
    path = write_module("some-file", "    name = 'echo'")
    await load(flux, path)
    assert (await flux.rpc("echo.ping", {})).json["rank"] == 0
    assert await refused(load(flux, path)) == EEXIST
    await remove(flux, "echo")


async def test_exec_puts_any_module_into_a_process(flux: Flux, write_module: WriteModule) -> None:
    await load(flux, write_module("echo", ECHO, "loop"), exec=True)
    assert (await flux.rpc("parrot.say")).json["pid"] != os.getpid()
    await remove(flux, "echo")


# -- reloads --------------------------------------------------------------------------------


def versioned(write_module: WriteModule, n: int, placement: str) -> str:
    body = f"    @method('.get')\n    def get(self, req):\n        return {{'n': {n}}}"
    return write_module("versioned", body, placement)


@every_placement
async def test_a_reload_reads_the_file_as_it_is_now(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    """However fast it changes: a time stamp of a second's grain must not hide it."""
    for n in range(3 if placement == "process" else 20):
        path = versioned(write_module, n, placement)
        os.utime(path, (1, 1))
        await load(flux, path)
        assert (await flux.rpc("versioned.get")).json == {"n": n}
        await remove(flux, "versioned")


async def test_a_failed_reload_can_be_mended(flux: Flux, write_module: WriteModule) -> None:
    path = versioned(write_module, 1, "thread")
    await load(flux, path)
    await remove(flux, "versioned")
    Path(path).write_text("oops(")
    assert (await refused(load(flux, path)))[0] == errno.EINVAL
    versioned(write_module, 2, "thread")
    await load(flux, path)
    assert (await flux.rpc("versioned.get")).json == {"n": 2}
    await remove(flux, "versioned")


async def test_our_own_modules_are_read_anew_too(flux: Flux) -> None:
    await load(flux, "barrier")
    await remove(flux, "barrier")
    await load(flux, "barrier")
    assert (await flux.rpc("barrier.ping", {})).json["rank"] == 0
    await remove(flux, "barrier")
