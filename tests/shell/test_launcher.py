"""The launcher of a broker: its beginning, its end, and its loss."""

import asyncio
import errno
import marshal
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import pytest

from fluxcore.shell import program, spawn
from fluxcore.shell.launcher import ENDED, REPLY, STARTED
from fluxcore.shell.program import RESTORED
from fluxcore.shell.spawn import Spawner
from support.leaks import is_running
from support.programs import LOG, SLEEP, TRUE, watched


async def test_a_burst_of_starts_waits_for_the_launcher(spawner: Spawner) -> None:
    program = TRUE._replace(env={"A": "x" * 20_000})
    first, _ = watched(spawner, TRUE)
    await first
    assert spawner._launcher is not None
    spawner._launcher.send_signal(signal.SIGSTOP)  # so that its socket gets full
    watches = [watched(spawner, program) for _ in range(50)]
    assert spawner._unsent
    spawner._launcher.send_signal(signal.SIGCONT)
    for started, ended in watches:
        assert isinstance(await started, int)
        assert await ended == 0


async def only_child(pid: int) -> int:
    """The child of a process, which is to start one."""
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        await asyncio.sleep(0)
    return int(found[0])


async def test_what_a_lost_launcher_has_started_is_killed_and_counts_as_that(
    spawner: Spawner,
) -> None:
    with_child = TRUE._replace(argv=["/bin/sh", "-c", "sleep 1000; true"])
    started, ended = watched(spawner, with_child)
    pid = await started
    child = await only_child(pid)
    launcher = spawner._launcher
    assert launcher is not None
    assert launcher.pid == int(Path(f"/proc/{pid}/stat").read_text().split()[3])
    launcher.send_signal(signal.SIGSTOP)
    waiting, _ = watched(spawner, TRUE)  # which it never comes to
    launcher.kill()
    assert await asyncio.wait_for(ended, 10) == signal.SIGKILL
    assert (await waiting).errno == errno.EIO
    while is_running(pid) or is_running(child):
        await asyncio.sleep(0)
    assert LOG == ["the launcher of tasks has ended: 1 running tasks are killed"]
    spawner.reap(pid)
    again, ended = watched(spawner, TRUE)
    assert isinstance(await again, int)
    assert await ended == 0
    assert spawner._launcher is not launcher


async def test_what_was_asked_for_before_the_end_is_started_and_told(spawner: Spawner) -> None:
    started, ended = watched(spawner, SLEEP)
    await spawner.close()
    pid = started.result()
    assert not ended.done()
    os.kill(pid, signal.SIGKILL)
    await spawner.close()


async def test_signals_of_a_terminal_are_not_for_the_launcher(spawner: Spawner) -> None:
    started, ended = watched(spawner, SLEEP)
    pid = await started
    assert spawner._launcher is not None
    for signum in RESTORED:
        spawner._launcher.send_signal(signum)
    assert os.getpgid(spawner._launcher.pid) == spawner._launcher.pid
    os.kill(pid, signal.SIGTERM)
    assert os.WTERMSIG(await ended) == signal.SIGTERM
    spawner.reap(pid)


async def test_a_start_without_descriptors_fails_alone(spawner: Spawner) -> None:
    running, ended = watched(spawner, SLEEP)
    pid = await running
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        started, _ = watched(spawner, TRUE._replace(env={"A": "x" * 100_000}))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (await started).errno == errno.EMFILE
    assert await watched(spawner, TRUE)[1] == 0
    assert not ended.done()
    os.kill(pid, signal.SIGKILL)
    await ended
    spawner.reap(pid)


async def test_many_that_wait_are_started_before_the_end(spawner: Spawner) -> None:
    first, _ = watched(spawner, TRUE)
    await first
    assert spawner._launcher is not None
    spawner._launcher.send_signal(signal.SIGSTOP)
    watches = [watched(spawner, TRUE._replace(env={"A": "x" * 1000})) for _ in range(600)]
    assert spawner._unsent
    spawner._launcher.send_signal(signal.SIGCONT)
    await spawner.close()
    assert all(isinstance(started.result(), int) for started, _ in watches)


async def test_a_launcher_that_does_not_end_is_killed(
    spawner: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_CLOSE_TIMEOUT", 0.01)
    await watched(spawner, TRUE)[1]
    assert spawner._launcher is not None
    spawner._launcher.send_signal(signal.SIGSTOP)
    started, _ = watched(spawner, TRUE)
    await spawner.close()
    assert (await started).errno == errno.EIO
    assert LOG == ["the launcher of tasks does not end, and is killed"]


async def test_no_launcher_means_no_start(
    spawner: Spawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    started, ended = watched(spawner, TRUE)
    assert (await started).errno == errno.ENOENT
    assert not ended.done()


async def test_without_pidfds_the_launcher_hears_of_ends_by_signal() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = "import os; del os.pidfd_open; from fluxcore.shell.launcher import main; main({})"
    launcher = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code.format(theirs.fileno()),
        pass_fds=[theirs.fileno()],
        env={"PYTHONPATH": str(Path(program.__file__).parents[2])},
    )
    theirs.close()
    for number in range(3):
        ours.send(marshal.dumps((number, *TRUE)))
    replies = sorted(REPLY.unpack(ours.recv(100)) for _ in range(6))
    assert [kind for kind, _, _ in replies] == [STARTED] * 3 + [ENDED] * 3
    pids = {pid for kind, _, pid in replies if kind == STARTED}
    assert {(pid, status) for kind, pid, status in replies if kind == ENDED} == {
        (pid, 0) for pid in pids
    }
    ours.close()
    assert await launcher.wait() == 0


async def test_the_launcher_may_be_there_before_the_first_program(spawner: Spawner) -> None:
    spawner.launch_soon()
    assert spawner._launcher is None
    while spawner._launcher is None:
        await asyncio.sleep(0)
    launcher = spawner._launcher
    assert await watched(spawner, TRUE)[1] == 0
    assert spawner._launcher is launcher
    await spawner.close()
    spawner.launch_soon()  # what has not begun by the end does not begin
