"""A KVS in which tests write what there is of a job, and job-info on top."""

from collections.abc import Awaitable, Callable

import pytest

from support.job_store import JobStore
from support.wired import Wired

StartInstance = Callable[..., Awaitable[Wired]]


@pytest.fixture
async def store(instance: StartInstance) -> Callable[..., Awaitable[JobStore]]:
    """``await store(size)``."""

    async def start(size: int = 1) -> JobStore:
        wired = await instance(size)
        for name in ("content", "kvs", "kvs-watch", "job-info"):
            await wired.load(name)
        return JobStore(wired)

    return start
