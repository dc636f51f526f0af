"""Brokers in which a test loads the modules that it is about."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from support.wired import Wired

StartInstance = Callable[..., Awaitable[Wired]]


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[StartInstance]:
    """``await instance(size, attribute=value)``; every one is stopped at the end."""
    started: list[Wired] = []

    async def start(size: int = 1, **attrs: str) -> Wired:
        new = Wired(size, tmp_path, {k.replace("_", "-"): v for k, v in attrs.items()})
        started.append(new)
        return await new.start()

    yield start
    for each in reversed(started):
        await each.stop()


async def settle(turns: int = 20) -> None:
    """Let what is on its way arrive: messages take a loop turn a hop."""
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.fixture
def settled() -> Callable[[], Awaitable[None]]:
    return settle
