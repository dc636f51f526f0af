"""The whole path in a real terminal: fluxtop in tmux, on an instance that it starts itself."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from support.leaks import processes_with

pytestmark = pytest.mark.slow

#: Seconds for anything that the console shows, and for an instance to come up or go.
PATIENCE = 30.0


EDITED = (
    "{version: 1, resources: [{type: slot, count: 1, label: t, with: [{type: core, count: 1}]}],"
    " tasks: [{command: [echo, potato again], slot: t, count: {per_slot: 1}}],"
    " attributes: {system: {duration: 0}}}"
)


class Terminal:
    """A tmux session that shows one program."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self.code = folder / "code"
        script = f"{shlex.join(command)}; echo $? > {self.code}"
        self._tmux("new-session", "-d", "-x", "120", "-y", "40", script, environ=environ)

    def _tmux(self, *args: str, environ: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self._socket, *args],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        """Let the terminal have another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """What a user reads."""
        return self._tmux("capture-pane", "-p")

    def see(self, *texts: str) -> str:
        """Wait until texts are on the screen; the screen."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
        raise AssertionError(f"{texts} not on the screen:\n{screen}")

    def ended(self) -> int:
        """Wait for the program to end; its exit code."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.code.exists() and (text := self.code.read_text()):
                return int(text)
        raise AssertionError(f"still running:\n{self.screen()}")

    def close(self) -> None:
        """End the session, whatever runs in it."""
        self._tmux("kill-server")


@pytest.fixture(params=["ours", pytest.param("flux-core", marks=pytest.mark.interop)])
def engine(request) -> str:
    """The flux command whose instance is started; empty for our own."""
    if request.param == "ours":
        return ""
    prefix = os.environ.get("FLUX_CORE_PREFIX", "/usr")
    program = f"{prefix}/bin/flux"
    if not os.access(program, os.X_OK):
        pytest.skip("flux-core is not installed")
    return program


@pytest.fixture
def terminal(engine, short_path):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    mark = f"FLUX_TEST_MARK={uuid.uuid4()}"
    environ = {name: v for name, v in os.environ.items() if not name.startswith("FLUX")}
    temporary = short_path / "tmp"
    temporary.mkdir()
    environ |= {
        "FLUX_TEST_MARK": mark.partition("=")[2],
        "TMPDIR": str(temporary),
        "FLUXTOP_FLUX": engine,
        "XDG_CONFIG_HOME": str(short_path / "config"),
        "XDG_STATE_HOME": str(short_path / "state"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    fluxtop = str(Path(sys.executable).parent / "fluxtop")
    terminal = Terminal([fluxtop, "--test-size", "4"], environ, short_path)
    try:
        yield terminal
        assert terminal.ended() == 0
    finally:
        terminal.close()
    left = [line for line in processes_with(mark) if "tmux" not in line]
    assert left == []
    assert list(temporary.iterdir()) == []


@pytest.mark.timeout(180)
def test_from_the_start_to_a_job_with_the_keyboard_alone(terminal):
    # Four brokers, alive.
    screen = terminal.see("4 brokers", "embedded, ends with fluxtop", "4 full", "heartbeat")
    assert screen.count("● full") == 4

    # A module is reloaded.
    terminal.press("2")
    terminal.see("R Reload")
    terminal.press("/")
    terminal.see("│ filter")
    terminal.type("heartbeat")
    terminal.press("Enter")
    terminal.see("/heartbeat", "R Reload")
    terminal.press("R")
    terminal.see("$ flux module reload heartbeat")
    terminal.press("Enter")
    terminal.see("heartbeat is reloaded on rank 0")

    # A module that is not there is told with errno and text.
    terminal.press("L")
    terminal.see("Name, or path of a file")
    terminal.type("nosuch")
    terminal.press("Enter")
    terminal.see("ENOENT: module not found in search path")
    terminal.press("Escape")
    terminal.see("R Reload")

    # A key is read.
    terminal.press("3")
    terminal.see("enter Open")
    terminal.press("G", "l")
    terminal.see("eventlog")
    terminal.press("j", "Enter")
    terminal.see('"R_lite": [', '"rank": "0-3"', "resource.R  json")

    # A jobspec is written and submitted, then edited and submitted again.
    terminal.press("8")
    terminal.see("hello potato 🥔️🍠️", "valid  1 slot, 1 core, 1 task")
    terminal.press("C-s")
    first = terminal.see("✔ completed", "hello potato", "output, complete")
    terminal.press("8")
    terminal.see("8 Jobspec")
    terminal.press("F7")
    terminal.press("DC")
    terminal.see("line 1: jobspec is empty")
    terminal.type(EDITED)
    terminal.see("valid  1 slot, 1 core, 1 task")
    terminal.press("C-p")
    terminal.see("What to do")
    terminal.type("submit the job")
    terminal.see("Jobspec: Save: submit the job and open it")
    terminal.press("Enter")
    second = terminal.see("7 Job", "✔ completed", "│ potato again", "output, complete")
    assert job_of(first) != job_of(second)

    # A terminal that becomes small shows one pane, and all of them when it is large again.
    terminal.resize(70, 20)
    terminal.see("1 TBON  2 Modules  3 KVS", "7 Job")
    terminal.resize(120, 40)
    terminal.see("╭─ 1 TBON", "7 Job", "╭─ 5 Log")

    # Leaving ends the instance.
    terminal.press("Q")


def job_of(screen: str) -> str:
    """The id of the job that is open, from the line that sums it up."""
    found = re.search(r"│ (ƒ\w+) echo ", screen)
    assert found is not None, screen
    return found[1]
