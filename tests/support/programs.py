"""Programs that a test has started."""

import asyncio
import os
from typing import Any

from fluxcore.shell.program import Program
from fluxcore.shell.spawn import Spawner

#: What the spawner of a test has written to the log.
LOG: list[str] = []


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
