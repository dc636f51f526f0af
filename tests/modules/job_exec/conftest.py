"""An instance with the execution service and a job manager that only starts jobs."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.fake_job_manager import MODULES, FakeJobManager
from support.wired import Wired

StartInstance = Callable[..., Awaitable[Wired]]
StartExec = Callable[..., Awaitable[FakeJobManager]]


@pytest.fixture
def manager(instance: StartInstance) -> StartExec:
    """``await manager(size, *args)``: job-exec is loaded with ``args``."""

    async def start(size: int = 1, *args: str, **attrs: Any) -> FakeJobManager:
        wired = await instance(size, **attrs)
        for name in MODULES:
            await wired.load(name)
        made = FakeJobManager(wired)
        await wired.load("job-exec", *args)
        return made

    return start
