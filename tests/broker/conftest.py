"""An instance of one broker without modules, and files to load into it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.instance import NO_RC, LocalInstance, MakeLocal


@pytest.fixture
async def one(local_instance: MakeLocal) -> AsyncIterator[LocalInstance]:
    """One broker, with the built-in modules only."""
    async with local_instance(1, setattrs=NO_RC) as instance:
        yield instance


@pytest.fixture
async def flux(one: LocalInstance) -> AsyncIterator[Flux]:
    """A handle for it."""
    async with await one.connect() as handle:
        yield handle


@pytest.fixture
async def guest(one: LocalInstance, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flux]:
    """The owner, posing as user 42."""
    monkeypatch.setenv("FLUX_HANDLE_USERID", "42")
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", str(c.ROLE_USER))
    async with await one.connect() as handle:
        yield handle


@pytest.fixture
def write_module(tmp_path: Path) -> Callable[..., str]:
    """``write_module("clock", body, placement="loop")`` writes a file with one Module class."""

    def write(name: str, body: str = "    pass", placement: str = "thread") -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(
            "import asyncio, errno, os, sys, time\n"
            "from fluxcore.handle.errors import rpc_error\n"
            "from fluxcore.handle.module import DEFERRED, Module, method, on_event\n"
            "from fluxcore.wire.constants import ROLE_USER\n"
            f"class TheModule(Module):\n    placement = {placement!r}\n{body}\n"
        )
        return str(path)

    return write
