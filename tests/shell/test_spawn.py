"""Starting programs."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fluxcore.shell import spawn
from fluxcore.shell.spawn import Program, Spawner
from support.leaks import no_leaks

Run = Callable[..., "asyncio.Future[tuple[int, str]]"]


@pytest.fixture(params=["libc", "subprocess"])
async def spawner(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Spawner]:
    if request.param == "subprocess":
        monkeypatch.setattr(spawn, "_starter", lambda: spawn._by_subprocess)
    with no_leaks():
        made = Spawner(asyncio.get_running_loop())
        yield made
        made.close()


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
    done: asyncio.Future[int | OSError] = asyncio.get_running_loop().create_future()
    fds = ((null, 0), (writing, 1), (writing, 2))
    program = Program(argv, {"PATH": "/usr/bin:/bin", **(env or {})}, cwd, fds, **how)  # type: ignore[arg-type]
    try:
        spawner.start(program, done.set_result)
        result = await done
        os.close(writing)
        if isinstance(result, OSError):
            raise result
        with open(reading, closefd=False) as file:
            text = file.read()
        return os.waitpid(result, 0)[1], text
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


async def test_a_program_leads_a_group_unless_it_must_not(spawner: Spawner) -> None:
    show = 'read -r a b c d e f < /proc/self/stat; echo "$e"; echo $$'
    _, text = await start(spawner, "sh", "-c", show)
    group, pid = text.split()
    assert group == pid
    _, text = await start(spawner, "sh", "-c", show, own_group=False)
    assert text.split()[0] == str(os.getpgid(0))


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
    pids: list[int] = []
    done = loop.create_future()

    def fail(pid: int | OSError) -> None:
        pids.append(int(pid))  # type: ignore[arg-type]
        raise RuntimeError("a fault")

    def told(pid: int | OSError) -> None:
        pids.append(int(pid))  # type: ignore[arg-type]
        if len(pids) == 3:
            done.set_result(None)

    program = Program(["/bin/true"], {}, "/", [])
    for started in (fail, told):
        spawner.start(program, started)
    while len(spawner._started) < 2:  # both before the loop comes to them
        os.sched_yield()
    spawner.start(program, told)
    await asyncio.wait_for(done, 10)
    assert faults == ["a fault"]
    for pid in pids:
        os.waitpid(pid, 0)


async def test_what_is_no_program_costs_no_other_start(spawner: Spawner) -> None:
    loop = asyncio.get_running_loop()
    results: list[asyncio.Future[int | OSError]] = [loop.create_future() for _ in range(2)]
    spawner.start(Program(["/bin/true"], {}, 5, []), results[0].set_result)  # type: ignore[arg-type]
    spawner.start(Program(["/bin/true"], {}, "/", []), results[1].set_result)
    error, pid = [await asyncio.wait_for(result, 10) for result in results]
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
    assert isinstance(pid, int)
    os.waitpid(pid, 0)
