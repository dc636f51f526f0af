"""The console on real instances of both engines: the panes show what their commands say."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fluxcore.handle.blocking import Flux
from fluxcore.handle.logline import LOG_ERR, format_line
from fluxtop.app import FluxTop
from fluxtop.data.session import Session, located
from fluxtop.desk import Desk
from fluxtop.drafts import Drafts
from fluxtop.embedded import Embedded
from fluxtop.places import themes_folder
from fluxtop.theming import DEFAULT, load_all

pytestmark = pytest.mark.slow


@pytest.fixture(
    scope="module", params=["ours", pytest.param("flux-core", marks=pytest.mark.interop)]
)
def program(request) -> str:
    """The flux command of an engine: ours is beside this Python."""
    ours = Path(sys.executable).parent
    if request.param == "ours":
        return str(ours / "flux")
    prefix = os.environ.get("FLUX_CORE_PREFIX")
    path = f"{prefix}/bin" if prefix else os.environ.get("PATH", "")
    places = [place for place in path.split(os.pathsep) if place != str(ours)]
    found = shutil.which("flux", path=os.pathsep.join(places))
    if found is None:
        pytest.skip("flux-core is not installed")
    return found


@pytest.fixture(scope="module")
def instance(program):
    """Three brokers, and their commands."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FLUX")}
    embedded = Embedded([program], 3, environ)
    uri = asyncio.run(embedded.uri())

    def flux(*args: str) -> str:
        done = subprocess.run(
            [program, *args],
            env={**environ, "FLUX_URI": uri},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    flux("kvs", "put", "test.a=hello", 'test.b={"x":1}')
    yield uri, flux
    assert embedded.stop() == 0


def modules_of(uri: str, rank: int) -> set[str]:
    """The modules of a rank, asked for past the console."""
    with Flux(uri) as flux:
        mods = flux.rpc("module.list", nodeid=rank, timeout=30.0).json["mods"]
    return {mod["name"] for mod in mods}


@pytest.fixture
async def pilot(instance, tmp_path, see):
    uri, _ = instance
    faults: list[Exception] = []
    session = Session(lambda: located(uri), faults=faults.append)
    desk = Desk(session, Drafts(tmp_path))
    folder = themes_folder()
    app = FluxTop(desk, css=folder / "fluxtop.tcss", themes=load_all([folder]), theme=DEFAULT)
    async with app.run_test(size=(140, 50), notifications=True) as pilot:
        await see(pilot, "● connected", "3 full", "heartbeat", "▸ resource")
        yield pilot
    assert faults == []


async def test_the_tree_shows_every_broker(pilot, instance, see):
    _, flux = instance
    host = flux("getattr", "hostlist").strip().split(",")[0]
    screen = await see(pilot, "3 brokers", f"▾ 0 {host}", f"├─ 1 {host}", f"└─ 2 {host}")
    assert screen.count("● full") == 3


async def test_the_modules_are_those_that_flux_module_lists(pilot, instance, see):
    _, flux = instance
    names = [line.split()[0] for line in flux("module", "list").splitlines()[1:]]
    await pilot.press("2", "z")
    screen = await see(pilot, f"rank 0, {len(names)} modules")
    assert all(f" {name} " in screen for name in names)
    assert "feasibility,sched" in screen


async def test_keys_are_read_and_watched(pilot, instance, see):
    _, flux = instance
    await pilot.press("3", "end", "right")
    await see(pilot, "├─  a", "└─  b", "5 B")
    await pilot.press("down", "enter")
    await see(pilot, "hello", "test.a  text, 5 B")
    flux("kvs", "put", "test.a=changed")
    await see(pilot, "changed 1x")
    flux("kvs", "put", "test.a=hello")


async def test_heartbeat_is_reloaded_with_two_keys(pilot, instance, see):
    _, flux = instance
    await pilot.press("2", "slash", *"heart", "enter")
    await see(pilot, "/heart")
    await pilot.press("R")
    await see(pilot, "$ flux module reload heartbeat")
    await pilot.press(*"period=1s", "enter")
    await see(pilot, "heartbeat is reloaded on rank 0")
    assert json.loads(flux("module", "stats", "heartbeat"))["period"] == 1.0


async def test_a_module_of_a_follower_is_removed_and_loaded(pilot, instance, see):
    uri, _ = instance
    await pilot.press("colon", *"rank 2", "enter")
    await see(pilot, "rank 2, ")
    await pilot.press("2", "slash", *"heart", "enter", "X")
    await see(pilot, "$ flux exec -r 2 flux module remove heartbeat")
    await pilot.press("enter")
    await see(pilot, "heartbeat is removed from rank 2")
    assert "heartbeat" not in modules_of(uri, 2)
    await pilot.press("colon", *"load heartbeat", "enter")
    await see(pilot, "$ flux exec -r 2 flux module load heartbeat")
    await pilot.press("enter")
    await see(pilot, "loaded on rank 2")
    assert "heartbeat" in modules_of(uri, 2)


CLOCK = """
from fluxcore.handle.module import Module

class Clock(Module):
    name = "clock"

    def stats(self):
        return {"zone": self.args[0]}
"""


async def test_a_file_with_a_fault_is_mended_and_reloaded(pilot, program, tmp_path, see):
    if program != str(Path(sys.executable).parent / "flux"):
        pytest.skip("a module for flux-core is written otherwise")
    file = tmp_path / "clock.py"
    file.write_text(CLOCK)
    await pilot.press("colon", *f"load {file} UTC", "enter")
    await see(pilot, "Load a module on rank 0")
    await pilot.press("enter")
    await see(pilot, "loaded on rank 0", "clock ")
    await pilot.press("2", "slash", *"clock", "enter")

    file.write_text(CLOCK.replace("(Module):", "(Module:"))
    await pilot.press("R")
    await see(pilot, "Reload clock on rank 0", "UTC")
    await pilot.press("enter")
    await see(pilot, "EINVAL: SyntaxError", "not loaded now)")

    file.write_text(CLOCK)
    await pilot.press("enter")
    await see(pilot, "clock is reloaded on rank 0")
    await pilot.press("s")
    await see(pilot, '"zone": "UTC"')
    await pilot.press("escape", "X")
    await see(pilot, "Remove clock from rank 0")
    await pilot.press("enter")
    await see(pilot, "clock is removed from rank 0")


async def test_failures_have_the_errno_and_text_of_the_service(pilot, see):
    await pilot.press("colon", *"load nosuch", "enter")
    await see(pilot, "$ flux module load nosuch")
    await pilot.press("enter")
    await see(pilot, "ENOENT: module not found in search path")
    await pilot.press("escape", "colon", *"load kvs", "enter")
    await see(pilot, "$ flux module load kvs")
    await pilot.press("enter")
    await see(pilot, "EEXIST: File exists")


async def test_a_jobspec_is_submitted_and_its_output_shown(pilot, instance, see):
    _, flux = instance
    await pilot.press("8")
    await see(pilot, "valid  1 slot")
    await pilot.press("f2")
    screen = await see(pilot, "✔ completed", "hello potato 🥔️🍠️", "output, complete")
    jobid = flux("job", "last").strip()
    assert jobid in screen
    await pilot.press("q", "4")
    await see(pilot, "0 pending, 0 running, 0 failed", f" {jobid} ")


async def test_a_job_is_cancelled(pilot, instance, see):
    _, flux = instance
    jobid = flux("submit", "sleep", "inf").strip()
    await pilot.press("4")
    await see(pilot, f"{jobid}", "▶ run")
    await pilot.press("g", "X")
    await see(pilot, f"$ flux cancel {jobid}")
    await pilot.press("enter")
    await see(pilot, "⊘ canceled")


async def test_the_log_is_the_brokers(pilot, instance, see):
    uri, _ = instance
    with Flux(uri) as flux:
        line = format_line(LOG_ERR, "something is amiss", now=0.0, rank="0", app="test")
        flux.notify("log.append", line)
        flux.rpc("log.stats-get", timeout=30.0)
    await see(pilot, "something is amiss")
