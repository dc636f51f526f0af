"""A broker in a few lines, and a console that a script tells what to show."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, response
from fluxtop.app import FluxTop
from fluxtop.data.scripted import ScriptedSource
from fluxtop.desk import Desk
from fluxtop.drafts import Drafts
from fluxtop.glyphs import ASCII, UNICODE
from fluxtop.places import themes_folder
from fluxtop.themes import DEFAULT, load_all

#: The clock of every test: 2026-11-22 11:26:00 UTC.
NOW = 1795346760.0


class FakeBroker:
    """Answers what it is told to, by topic; keeps streams open; can go away."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Message], Any]] = {
            "event.subscribe": lambda _req: {},
            "event.unsubscribe": lambda _req: {},
        }
        self.requests: list[Message] = []
        self.streams: list[Message] = []
        self.arrived = asyncio.Condition()
        self.flux: Flux | None = None

    async def dial(self, _uri: str) -> Flux:
        self.flux = Flux(self._send)
        return self.flux

    def _send(self, msg: Message) -> None:
        assert self.flux is not None
        self.flux.loop.call_soon(self._handle, self.flux, msg)

    def _handle(self, flux: Flux, msg: Message) -> None:
        self.requests.append(msg)
        flux.loop.create_task(self._notify())
        if not flux.connected or msg.flags & c.NORESPONSE:
            return
        answer = self.answers.get(msg.topic or "")
        if answer is None and msg.flags & c.STREAMING:
            self.streams.append(msg)
            return
        try:
            if answer is None:
                raise rpc_error(errno.ENOSYS, f"No service matching {msg.topic} is registered")
            flux.receive(response(msg, answer(msg)))
        except OSError as exc:
            flux.receive(error_response(msg, exc.errno or errno.EINVAL, exc.strerror))

    async def _notify(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    def tell(self, stream: Message, payload: Any) -> None:
        assert self.flux is not None
        self.flux.receive(response(stream, payload))

    def end(self, stream: Message, errnum: int = errno.ENODATA) -> None:
        assert self.flux is not None
        self.flux.receive(error_response(stream, errnum))

    def lose(self) -> None:
        assert self.flux is not None
        self.flux.lost(None)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(true)

    def topics(self) -> list[str]:
        return [msg.topic or "" for msg in self.requests]


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., FluxTop]:
    def make(source: ScriptedSource, *, theme: str = DEFAULT, plain: bool = False, **options: Any):
        folder = themes_folder()
        desk = Desk(
            source,
            Drafts(tmp_path / "drafts"),
            clock=lambda: NOW,
            glyphs=ASCII if plain else UNICODE,
            **options,
        )
        return FluxTop(desk, css=folder / "fluxtop.tcss", themes=load_all([folder]), theme=theme)

    return make
