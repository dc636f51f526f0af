"""Starting programs."""

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest

from fluxcore.shell.spawn import Spawner
from support.leaks import is_running
from support.programs import SLEEP, TRUE, start, watched


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
