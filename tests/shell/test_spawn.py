"""Starting programs."""

import asyncio
import errno
import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fluxcore.shell import program, spawn
from fluxcore.shell.launcher import ENDED, REPLY, STARTED
from fluxcore.shell.program import RESTORED, Program
from fluxcore.shell.spawn import Spawner
from support.leaks import is_running, no_leaks

Run = Callable[..., "asyncio.Future[tuple[int, str]]"]


#: What the spawner of a test has written to the log.
LOG: list[str] = []


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    with no_leaks():
        made = Spawner(asyncio.get_running_loop(), LOG.append)
        LOG.clear()
        yield made
        await made.close()


async def start(
    spawner: Spawner,
    *argv: str,
    env: dict[str, str] | None = None,
    cwd: str = "/tmp",
    **how: object,
) -> tuple[int, str]:
    """Run a program: its wait status, and what it has written."""
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int | OSError] = loop.create_future()
    ended: asyncio.Future[int] = loop.create_future()
    fds = ((null, 0), (writing, 1), (writing, 2))
    program = Program(argv, {"PATH": "/usr/bin:/bin", **(env or {})}, cwd, fds, **how)  # type: ignore[arg-type]
    try:
        spawner.start(program, done.set_result, ended.set_result)
        result = await done
        os.close(writing)
        if isinstance(result, OSError):
            raise result
        status = await ended
        with open(reading, closefd=False) as file:
            text = file.read()
        os.kill(result, 0)  # its id is kept until somebody says that it need not be
        spawner.reap(result)
        return status, text
    finally:
        os.close(reading)
        os.close(null)


async def test_a_program_runs_with_its_arguments_environment_and_directory(
    spawner: Spawner, tmp_path: Path
) -> None:
    script = 'echo "$0 $1 $A"; pwd; exit 3'
    status, text = await start(
        spawner, "sh", "-c", script, "zero", "one", env={"A": "ä"}, cwd=str(tmp_path)
    )
    assert os.waitstatus_to_exitcode(status) == 3
    assert text == f"zero one ä\n{tmp_path}\n"


async def test_a_program_leads_a_group(spawner: Spawner) -> None:
    show = 'read -r a b c d e f < /proc/self/stat; echo "$e"; echo $$'
    _, text = await start(spawner, "sh", "-c", show)
    group, pid = text.split()
    assert group == pid


async def test_a_program_has_the_signals_as_they_were(spawner: Spawner) -> None:
    status, _ = await start(spawner, "sh", "-c", "kill -PIPE $$")
    assert os.WTERMSIG(status) == signal.SIGPIPE


async def test_no_other_descriptor_gets_through(spawner: Spawner) -> None:
    inherited = os.dup(0)
    os.set_inheritable(inherited, True)
    _, text = await start(spawner, "ls", "/proc/self/fd")
    os.close(inherited)
    assert text.split() == ["0", "1", "2", "3"]  # the last one is of the listing


async def test_a_program_may_be_bound_to_a_processor(spawner: Spawner) -> None:
    cpu = min(os.sched_getaffinity(0))
    show = "grep Cpus_allowed_list /proc/self/status"
    _, text = await start(spawner, "sh", "-c", show, cpus=frozenset([cpu]))
    assert text.split()[-1] == str(cpu)
    _, text = await start(spawner, "sh", "-c", show)
    assert text.split()[-1] != str(cpu) or len(os.sched_getaffinity(0)) == 1


async def test_a_program_is_searched_for_in_its_own_path(spawner: Spawner, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "prog"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    env = {"PATH": "/nonexistent:bin:/bin"}
    _, text = await start(spawner, "prog", env=env, cwd=str(tmp_path))
    assert text == "found\n"
    _, text = await start(spawner, "./bin/prog", cwd=str(tmp_path))
    assert text == "found\n"


async def test_a_script_without_interpreter_is_the_shells(spawner: Spawner, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo shell $1\n")
    script.chmod(0o755)
    _, text = await start(spawner, str(script), "x")
    assert text == "shell x\n"


async def test_what_cannot_be_started_says_why(spawner: Spawner, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo x\n")
    for argv, expected in (
        (("nosuchprogram",), errno.ENOENT),
        (("/nonexistent/prog",), errno.ENOENT),
        (("/tmp",), errno.EACCES),
        ((str(plain),), errno.EACCES),
        (("a\0b",), errno.EINVAL),
    ):
        with pytest.raises(OSError) as caught:
            await start(spawner, *argv)
        assert caught.value.errno == expected, argv


async def test_an_unusable_file_hides_no_usable_one_behind_it(
    spawner: Spawner, tmp_path: Path
) -> None:
    for name, mode in (("first", 0o644), ("second", 0o755)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "prog"
        file.write_text(f"#!/bin/sh\necho {name}\n")
        file.chmod(mode)
    (tmp_path / "third" / "prog").mkdir(parents=True)
    path = ":".join(str(tmp_path / name) for name in ("third", "first", "second"))
    _, text = await start(spawner, "prog", env={"PATH": path})
    assert text == "second\n"
    only = {"PATH": str(tmp_path / "first")}
    with pytest.raises(PermissionError):
        await start(spawner, "prog", env=only)


async def test_many_programs_are_started_in_order(spawner: Spawner) -> None:
    runs = [start(spawner, "sh", "-c", f"exit {code}") for code in range(20)]
    results = await asyncio.gather(*runs)
    assert [os.waitstatus_to_exitcode(status) for status, _ in results] == list(range(20))


def watched(
    spawner: Spawner, program: Program
) -> "tuple[asyncio.Future[Any], asyncio.Future[int]]":
    """Start a program: what is told of its start and of its end."""
    loop = asyncio.get_running_loop()
    started, ended = loop.create_future(), loop.create_future()
    spawner.start(program, started.set_result, ended.set_result)
    return started, ended


TRUE = Program(["/bin/true"], {}, "/", [])
SLEEP = Program(["/bin/sleep", "1000"], {}, "/", [])


async def test_a_listener_that_fails_costs_no_other_start(spawner: Spawner) -> None:
    loop, faults = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _loop, context: faults.append(str(context["exception"])))

    def fail(_told: object) -> None:
        raise RuntimeError("a fault")

    spawner.start(TRUE, fail, fail)
    started, ended = watched(spawner, TRUE)
    assert isinstance(await asyncio.wait_for(started, 10), int)
    assert await asyncio.wait_for(ended, 10) == 0
    while len(faults) < 2:
        await asyncio.sleep(0)
    assert faults == ["a fault"] * 2


async def test_what_is_no_program_costs_no_other_start(spawner: Spawner) -> None:
    error = await watched(spawner, TRUE._replace(cwd=[]))[0]  # type: ignore[arg-type]
    assert error.errno == errno.EIO
    error = await watched(spawner, TRUE._replace(cwd=object()))[0]  # type: ignore[arg-type]
    assert error.errno == errno.EINVAL
    assert isinstance(await watched(spawner, TRUE)[0], int)


async def test_what_needs_more_than_a_message_goes_through_a_file(spawner: Spawner) -> None:
    long = "x" * 100_000
    _, text = await start(spawner, "sh", "-c", 'echo "${#1} ${#A}"', "sh", long, env={"A": long})
    assert text == "100000 100000\n"


async def test_names_that_no_variable_may_have_are_left_out(spawner: Spawner) -> None:
    _, text = await start(spawner, "env", env={"": "1", "A=B": "2", "C": "3"})
    assert text.split() == ["PATH=/usr/bin:/bin", "C=3"]


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


async def only_child(pid: int) -> int:
    """The child of a process, which is to start one."""
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        await asyncio.sleep(0)
    return int(found[0])


async def test_programs_of_one_number_are_a_group(spawner: Spawner) -> None:
    together = [watched(spawner, SLEEP._replace(group=5)) for _ in range(2)]
    other, other_ended = watched(spawner, SLEEP._replace(group=6))
    one, two = [await started for started, _ in together]
    assert [os.getpgid(pid) for pid in (one, two)] == [one, one]
    assert os.getpgid(await other) == await other
    os.killpg(one, signal.SIGSTOP)
    os.killpg(one, signal.SIGKILL)
    for _, ended in together:
        assert await ended == signal.SIGKILL
    for pid in (one, two):
        spawner.reap(pid)
    again, again_ended = watched(spawner, SLEEP._replace(group=5))
    assert os.getpgid(await again) == await again
    for pid, ended in ((await other, other_ended), (await again, again_ended)):
        os.kill(pid, signal.SIGKILL)
        await ended
        spawner.reap(pid)


async def test_what_is_left_of_a_group_is_killed_with_its_leader(spawner: Spawner) -> None:
    _, child = await start(spawner, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
    while is_running(int(child)):
        await asyncio.sleep(0)


async def test_a_directory_is_relative_to_the_brokers_and_let_go(
    spawner: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path)
    _, text = await start(spawner, "pwd", cwd=str(tmp_path / "one"))
    assert text == f"{tmp_path}/one\n"
    _, text = await start(spawner, "pwd", cwd="two")
    assert text == f"{tmp_path}/two\n"
    assert spawner._launcher is not None
    assert os.readlink(f"/proc/{spawner._launcher.pid}/cwd") == str(tmp_path)


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
