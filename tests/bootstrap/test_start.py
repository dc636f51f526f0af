"""``flux start``: codes, signals, and that nothing stays behind (CONTRACTS B11, B16)."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.flux_start import BARE, started
from support.instance import FLUX

pytestmark = pytest.mark.slow

# -- how it ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["1", "3"])
@pytest.mark.parametrize(
    ("script", "code"), [("true", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_the_code_of_the_initial_program(
    short_path: Path, size: str, script: str, code: int
) -> None:
    with started(short_path, "-s", size, *BARE, "sh", "-c", script) as run:
        status, err = run.end()
    assert status == code
    assert (f"flux-start: 0 (pid {_pid(err)}) exited with rc={code}" in err) is (code != 0)


def _pid(err: str) -> str:
    found = re.search(r"pid (\d+)", err)
    return found[1] if found else ""


def test_without_a_size(short_path: Path) -> None:
    state = f"-Sstatedir={short_path}/state"
    with started(short_path, state, *BARE, "sh", "-c", "flux getattr size; exit 3") as run:
        assert run.end()[0] == 3
        assert run.out == "1\n"


def test_a_program_that_is_not_there(short_path: Path) -> None:
    with started(short_path, "-s1", *BARE, "/nonexistent/x", "y") as run:
        status, err = run.end()
    assert status == 127
    assert "rc2.0: /nonexistent/x y No such file or directory (rc=127)" in err


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("to", ["process", "group"])
def test_a_signal_ends_it_once(short_path: Path, signum: int, to: str) -> None:
    """To flux start alone, or as a terminal and timeout(1) send it."""
    with started(short_path, "-s", "3", *BARE, "sh", "-c", "echo up; exec sleep inf") as run:
        run.until("up")
        if to == "group":
            run.signal_group(signum)
        else:
            run.process.send_signal(signum)
        status, err = run.end()
    assert status == 128 + signal.SIGHUP
    assert "rc2.0: sh -c echo up; exec sleep inf Hangup (rc=129)" in err
    assert "dead to Flux" not in err, "the others left in good order"


def test_a_signal_before_anything_runs(short_path: Path) -> None:
    rc1 = f"-Sbroker.rc1_path=echo >{short_path}/state/up; exec sleep inf"
    with started(short_path, "-s", "2", rc1, "-Sbroker.rc3_path=", "true") as run:
        while not (short_path / "state" / "up").exists():
            assert run.process.poll() is None
        run.process.terminate()
        status, _err = run.end()
    assert status == 129


def broker_pids(run: object, size: int) -> list[int]:
    """The process ids of the brokers, by rank: the children of flux start in order."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text()
    pids = [int(pid) for pid in children.split()]
    assert len(pids) == size
    return pids


WAIT = ("sh", "-c", "echo up; exec cat >/dev/null")


def test_a_killed_follower_and_the_leaders_code(short_path: Path) -> None:
    options = ("--test-exit-mode=leader", "--test-exit-timeout=0.1s", "-Stbon.torpid_min=0.1s")
    with started(short_path, "-s", "3", *options, *BARE, *WAIT) as run:
        run.until("up")
        os.kill(broker_pids(run, 3)[2], signal.SIGKILL)
        status, err = run.end()
    assert status == 0
    assert "flux-start: 2 (pid" in err
    assert ") Killed" in err


def test_a_killed_follower_ends_the_others_after_a_while(short_path: Path) -> None:
    with started(short_path, "-s", "2", "--test-exit-timeout=0.1s", *BARE, *WAIT) as run:
        run.until("up")
        os.kill(broker_pids(run, 2)[1], signal.SIGKILL)
        run.wait()
        status, err = run.end()
    assert status == 137
    assert "flux-start: Exit timeout: killed rank 0" in err


def test_a_killed_leader_ends_the_others(short_path: Path) -> None:
    with started(short_path, "-s", "3", *BARE, *WAIT) as run:
        run.until("up")
        os.kill(broker_pids(run, 3)[0], signal.SIGKILL)
        run.wait()
        status, err = run.end()
    assert status == 137
    assert "Exit timeout" not in err, "they notice that their parent is gone"


def test_a_killed_flux_start_leaves_nothing(short_path: Path) -> None:
    with started(short_path, "-s", "3", *BARE, *WAIT) as run:
        run.until("up")
        run.process.kill()
        run.wait()
        run.gone()
        assert run.process.returncode == -signal.SIGKILL


# -- what it is told ------------------------------------------------------------------------


def refused(folder: Path, *args: str, code: int = 1) -> str:
    with started(folder, *args) as run:
        status, err = run.end()
    assert status == code
    return err


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("-s1", "-Snosuch=1", "true"), "flux-broker: nosuch: unknown attribute"),
        (
            ("-s1", "-Srank=1", "true"),
            "flux-broker: rank: attribute may not be set on the command line",
        ),
        (("-Sbroker.boot-method=simple", "true"), "flux-broker: bootstrap: PMI_FD not found"),
        (("-Sbroker.boot-method=x", "true"), "flux-broker: bootstrap: plugin matching 'x' not"),
        (("-s1", "-Stbon.topo=x", "true"), "flux-broker: unknown topology scheme 'x'"),
        (("-s2", "-Stbon.torpid_min=0", "true"), "flux-broker: tbon.torpid_min must be nonzero"),
        (("-s1", "-Slog-level=9", "true"), "flux-broker: log-level: Invalid argument"),
        (("-s1", "--conf=nokey", "true"), "flux-broker: --conf: nokey: No such file or directory"),
        (("-s1",), "flux-start: stdin is not a tty - can't run interactive shell"),
        ((), "flux-broker: stdin is not a tty - can't run interactive shell"),
        (("-s0", "true"), "flux-start: --test-size argument must be > 0"),
        (("-s2", "--test-hosts=a", "true"), "flux-start: --test-hosts hostlist has incorrect size"),
        (("-s2", "--test-exit-mode=x", "true"), "flux-start: unknown --test-exit-mode=x"),
        (("--test-hosts=a", "true"), "flux-start: --test-hosts only works with --test-size=N"),
    ],
)
def test_a_command_line_that_is_refused(short_path: Path, args: tuple[str, ...], text: str) -> None:
    statedir = f"-Sstatedir={short_path}/state"
    err = (
        refused(short_path, *args[:-1], statedir, *args[-1:])
        if args
        else refused(short_path, statedir)
    )
    assert err.startswith(text)


def test_a_rundir_too_long(short_path: Path) -> None:
    long = short_path / "state" / ("x" * 80)
    err = refused(short_path, "-s1", f"--test-rundir={long}", "true")
    assert "to allow for AF_UNIX socket creation" in err


def test_hosts_and_rundir(short_path: Path) -> None:
    rundir = short_path / "mine"
    script = "flux getattr hostlist; flux getattr rundir; flux overlay status --no-pretty"
    options = ("--test-hosts=a[0-2]", f"--test-rundir={rundir}", "--test-rundir-cleanup")
    with started(short_path, "-s3", *options, *BARE, "sh", "-c", script) as run:
        assert run.end()[0] == 0
        assert run.out.splitlines()[:2] == ["a[0-2]", str(rundir)]


def test_a_rundir_that_was_there_stays(short_path: Path) -> None:
    rundir = short_path / "state" / "mine"
    rundir.mkdir(parents=True, mode=0o700)
    with started(short_path, "-s2", f"--test-rundir={rundir}", *BARE, "true") as run:
        assert run.end()[0] == 0
    assert list(rundir.iterdir()) == []


def test_a_fault_in_a_broker_is_seen(short_path: Path) -> None:
    """What nobody expected is printed, and is not a silent code."""
    script = (
        "from fluxcore.bootstrap.start import StartOptions, start_instance\n"
        "from fluxcore.broker.options import BrokerOptions\n"
        "def run(options, lifeline):\n"
        "    raise KeyError('a fault of ours')\n"
        "raise SystemExit(start_instance(StartOptions(2, BrokerOptions(['true'])), run))\n"
    )
    python = Path(FLUX).parent / "python"
    done = subprocess.run(
        [python, "-c", script],
        env={**os.environ, "TMPDIR": str(short_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("KeyError: 'a fault of ours'") == 2
    assert list(short_path.iterdir()) == []


# -- on a terminal --------------------------------------------------------------------------


class Terminal:
    """A terminal that a person types at."""

    def __init__(self, *command: str, env: dict[str, str]) -> None:
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execvpe(command[0], list(command), env)
        self.pid = pid
        self.seen = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode()
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> int:
        try:
            while os.read(self.fd, 65536):
                """To the end of what it says."""
        except OSError:
            """The terminal's way of saying that nobody is there any more."""
        os.close(self.fd)
        _pid, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("size", [["-s2"], []])
def test_an_interactive_shell(short_path: Path, size: list[str]) -> None:
    (short_path / "state").mkdir(mode=0o700)
    env = {**os.environ, "TMPDIR": str(short_path), "SHELL": "/bin/sh", "PS1": "prompt> "}
    env.pop("FLUX_URI", None)
    statedir = f"-Sstatedir={short_path}/state"
    terminal = Terminal(FLUX, "start", *size, statedir, *BARE, env=env)
    terminal.until("prompt> ")
    terminal.type("echo size $(flux getattr size)\n")
    terminal.until(f"size {len(size) + 1}\r\n")
    terminal.until("prompt> ")
    terminal.type("cat\n")
    terminal.until("cat\r\n")
    terminal.type("parrot\n")
    terminal.until("parrot\r\n")  # typed
    terminal.until("parrot\r\n")  # and said by cat
    terminal.type("\x03")
    terminal.until("prompt> ")
    terminal.type("exit 5\n")
    assert terminal.end() == 5


def test_a_program_that_reads_from_the_terminal(short_path: Path) -> None:
    (short_path / "state").mkdir(mode=0o700)
    env = {**os.environ, "TMPDIR": str(short_path)}
    env.pop("FLUX_URI", None)
    script = 'echo ready; read line; echo "got $line"'
    terminal = Terminal(FLUX, "start", "-s2", *BARE, "sh", "-c", script, env=env)
    terminal.until("ready")
    terminal.type("hello\n")
    terminal.until("got hello")
    assert terminal.end() == 0


def test_content_that_cannot_be_written_is_a_failure(short_path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    put = f"head -c 3000000 /dev/urandom | base64 | {FLUX} kvs put --raw big=-"
    line = f'ulimit -f 1000; exec {FLUX} start -Sstatedir={short_path} sh -c "{put}"'
    env = {name: value for name, value in os.environ.items() if name != "FLUX_URI"}
    done = subprocess.run(
        ["bash", "-c", line], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "rc3.0: content cannot be written, and is lost: Input/output error" in done.stderr
