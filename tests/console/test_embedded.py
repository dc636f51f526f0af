import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from fluxtop.embedded import Embedded, flux_command

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path):
    """A ``flux`` command in a few lines of shell; ``$6`` is the initial program."""

    def make(body: str) -> list[str]:
        path = tmp_path / "flux"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return [str(path)]

    return make


RUNS = """
test "$1 $2 $3 $4 $5" = "start -s 3 sh -c" || exit 9
FLUX_URI=local:///tmp/x sh -c "$6"
echo "the program has ended" >&2
exit 7
"""


async def test_it_says_its_uri_and_ends_when_it_is_stopped(program):
    embedded = Embedded(program(RUNS), 3, os.environ)
    assert await embedded.uri() == "local:///tmp/x"
    assert embedded.stop() == 7


async def test_an_instance_that_does_not_start_tells_what_it_said(program):
    embedded = Embedded(program("echo no room >&2; exit 1"), 3, os.environ)
    with pytest.raises(OSError, match="the instance did not start: no room") as caught:
        await embedded.uri()
    assert caught.value.errno == errno.ECHILD
    assert embedded.stop() == 1


async def test_one_that_has_ended_is_not_dialled_again(program):
    embedded = Embedded(
        program("echo local:///x; echo 'rank 0: killed' >&2; exit 3"), 1, os.environ
    )
    uri = await embedded.uri()
    assert embedded.leave(30)
    with pytest.raises(OSError, match="the embedded instance has ended: rank 0: killed") as caught:
        await embedded.dial(uri)
    assert caught.value.errno == errno.ECHILD
    with pytest.raises(FileNotFoundError, match="/nosuch was not found"):
        await embedded.dial("local:///nosuch")
    embedded.stop()


def test_a_program_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Embedded([str(tmp_path / "nosuch")], 1, os.environ)


async def test_an_instance_that_will_not_end_is_terminated(program, monkeypatch):
    monkeypatch.setattr("fluxtop.embedded.STOP_TIMEOUT", 0.2)
    embedded = Embedded(program("echo local:///x; exec sleep 1000"), 1, os.environ)
    assert await embedded.uri() == "local:///x"
    assert embedded.stop() == -signal.SIGTERM


async def test_an_instance_that_will_not_even_be_terminated_is_killed(program, monkeypatch):
    monkeypatch.setattr("fluxtop.embedded.STOP_TIMEOUT", 0.2)
    body = "trap '' TERM; echo local:///x; while :; do sleep 1000; done"
    embedded = Embedded(program(body), 1, os.environ)
    assert await embedded.uri() == "local:///x"
    assert embedded.stop() == -signal.SIGKILL


def test_nothing_stays_when_the_console_is_killed(program, tmp_path):
    """The pipe closes with the console, in whatever way it ends."""
    ended = tmp_path / "ended"
    os.mkfifo(ended)
    flux = program(f'FLUX_URI=local:///x sh -c "$6"; echo over > {ended}')
    console = textwrap.dedent(f"""
        import asyncio, os
        from fluxtop.embedded import Embedded
        embedded = Embedded({flux!r}, 1, os.environ)
        asyncio.run(embedded.uri())
        os.kill(os.getpid(), 9)
    """)
    killed = subprocess.run([sys.executable, "-c", console], check=False, timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert ended.read_text() == "over\n"


def test_the_flux_that_starts_it_is_ours_unless_told():
    assert flux_command(None, {}) == [sys.executable, "-m", "fluxcore.cli.main"]
    assert flux_command(None, {"FLUXTOP_FLUX": "/opt/flux"}) == ["/opt/flux"]
    assert flux_command("./flux", {"FLUXTOP_FLUX": "/opt/flux"}) == ["./flux"]
