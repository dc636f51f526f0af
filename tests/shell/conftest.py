"""A node on which a test starts jobs, and a spawner."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxcore.shell.spawn import Spawner
from support.leaks import no_leaks
from support.programs import LOG
from support.shell_jobs import Jobs


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs]:
    with no_leaks():
        made = Jobs(tmp_path)
        yield made
        await made.host.spawner.close()
        await made.host.sweeper.finish()
    assert os.listdir(tmp_path / "run") == []


@pytest.fixture
async def spawner() -> AsyncIterator[Spawner]:
    with no_leaks():
        made = Spawner(asyncio.get_running_loop(), LOG.append)
        LOG.clear()
        yield made
        await made.close()
