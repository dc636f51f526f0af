"""A broker that goes away and comes back at the same URI, under the console's eyes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fluxtop.app import FluxTop
from fluxtop.data.session import Session, located
from fluxtop.desk import Desk
from fluxtop.drafts import Drafts
from fluxtop.places import themes_folder
from fluxtop.theming import DEFAULT, load_all

pytestmark = pytest.mark.slow

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(short_path: Path) -> Iterator[Start]:
    """Start a broker in a folder, and wait until it runs its program."""
    running: list[subprocess.Popen[str]] = []
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FLUX")}
    flux = Path(sys.executable).parent / "flux"

    def run() -> "subprocess.Popen[str]":
        command = [flux, "start", f"-Srundir={short_path}", "sh", "-c", "echo up; exec cat"]
        broker = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(broker)
        assert broker.stdout is not None
        assert broker.stdout.readline() == "up\n"
        return broker

    yield run
    for broker in running:
        assert broker.stdin is not None
        assert broker.stdout is not None
        broker.stdin.close()
        broker.wait(30)
        broker.stdout.close()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
async def test_a_broker_that_comes_back_is_found_again(start, short_path, tmp_path, see, sign):
    first = start()
    session = Session(
        lambda: located(f"local://{short_path}/local-0"), faults=lambda exc: app.fault(exc)
    )
    folder = themes_folder()
    app = FluxTop(
        Desk(session, Drafts(tmp_path)),
        css=folder / "fluxtop.tcss",
        themes=load_all([folder]),
        theme=DEFAULT,
    )
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "● connected", "heartbeat", "▸ resource")
        first.send_signal(sign)
        first.wait(30)
        await see(pilot, "✖ lost", "heartbeat")
        start()
        await see(pilot, "● connected", "1 full", "heartbeat")
        await pilot.press("8", "f2")
        await see(pilot, "✔ completed", "output, complete")
