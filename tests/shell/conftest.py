"""A node on which a test starts jobs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.leaks import no_leaks
from support.shell_jobs import Jobs


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs]:
    with no_leaks():
        made = Jobs(tmp_path)
        yield made
        await made.host.spawner.close()
        await made.host.sweeper.finish()
    assert os.listdir(tmp_path / "run") == []
