"""Take the picture in the README: fluxtop as ``make run`` shows it, drawn by fluxtop itself.

``make screenshot`` starts an instance of four brokers, gives it jobs, drives the console from the
keyboard and writes ``docs/fluxtop.svg``. The hosts have made-up names and the instance keeps its
files in /tmp, so nothing of the machine that the picture is taken on gets into it.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from fluxtop.app import FluxTop
from fluxtop.data.session import Session, located
from fluxtop.desk import Desk
from fluxtop.drafts import Drafts
from fluxtop.places import themes_folder
from fluxtop.theming import DEFAULT, load_all

PICTURE: Final = Path(__file__).with_name("fluxtop.svg")
SIZE: Final = (120, 40)
#: Seconds to wait for what is to be on the screen, and between two looks at it.
PATIENCE: Final = 60.0
GLANCE: Final = 0.05

_FLUX: Final = (sys.executable, "-m", "fluxcore.cli.main")
_PROGRAM: Final = 'echo "$FLUX_URI"; exec cat >/dev/null'
#: Before the console comes: a key, a job that ends well, one that fails, one that goes on.
_BEFORE: Final = (
    ("kvs", "put", "greeting=hello"),
    ("submit", "--wait", "-N4", "echo", "hello potato"),
    ("submit", "--wait", "--job-name=check", "false"),
    ("submit", "--job-name=train", "-N3", "-x", "sleep", "inf"),
)
#: While it looks: a job that must wait for a node.
_WHILE: Final = (("submit", "--job-name=render", "-N4", "-x", "true"),)


@contextmanager
def instance(folder: str) -> Iterator[dict[str, str]]:
    """Four brokers that keep their files in ``folder``; the environment of their commands."""
    environ = {"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}
    command = [*_FLUX, "start", "-s", "4", "--test-hosts=node[0-3]", "sh", "-c", _PROGRAM]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, env=environ, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    try:
        yield {**environ, "FLUX_URI": process.stdout.readline().strip()}
    finally:
        process.communicate()


def flux(commands: Iterable[tuple[str, ...]], environ: Mapping[str, str]) -> None:
    """Run commands of flux; a job that fails is none of our failures."""
    for command in commands:
        subprocess.run(
            [*_FLUX, *command],
            cwd=environ["HOME"],
            env=dict(environ),
            stdout=subprocess.DEVNULL,
            check=False,
        )


async def see(pilot: Pilot[None], *patterns: str) -> None:
    """Wait until all that is described is on the screen."""
    async with asyncio.timeout(PATIENCE):
        while not all(re.search(pattern, _screen(pilot)) for pattern in patterns):
            await pilot.pause(GLANCE)


def _screen(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def drive(pilot: Pilot[None], environ: Mapping[str, str]) -> None:
    """Open a directory of the KVS, and reload a module once the others have been idle a while."""
    await see(pilot, "4 full", "heartbeat", "▸ resource", "train")
    await pilot.press("3", "G", "l")
    await see(pilot, "eventlog")
    await pilot.press("j", "2", *"jjjjjj")
    await see(pilot, r"up (9|\d\d)s")
    flux(_WHILE, environ)
    await pilot.press("R")
    await see(pilot, r"\$ flux module reload heartbeat")
    await pilot.press("enter")
    await see(pilot, r"up (1[2-9]|[2-5]\d)s", "render", "insmod heartbeat")


async def take(environ: Mapping[str, str]) -> str:
    """The picture, as SVG."""
    faults: list[Exception] = []
    session = Session(lambda: located(environ["FLUX_URI"]), faults=faults.append)
    desk = Desk(session, Drafts(Path(environ["HOME"])), embedded=True)
    folder = themes_folder()
    app = FluxTop(desk, css=folder / "fluxtop.tcss", themes=load_all([folder]), theme=DEFAULT)
    async with app.run_test(size=SIZE) as pilot:
        await drive(pilot, environ)
        picture = app.export_screenshot()
    if faults:
        raise faults[0]
    return picture


def main() -> None:
    """Take it."""
    with tempfile.TemporaryDirectory(prefix="flux-") as folder, instance(folder) as environ:
        flux(_BEFORE, environ)
        PICTURE.write_text(asyncio.run(take(environ)), encoding="utf-8")


if __name__ == "__main__":
    main()
