"""A broker in a few lines, and a console that a script tells what to show."""

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.theme import Theme

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
from fluxtop.theming import DEFAULT, load_all

#: The clock of every test: 2026-11-22 11:26:00 UTC.
NOW = 1795346760.0
#: Seconds to wait for something that should come at once; a busy machine takes a while.
PATIENCE = 15.0


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

    async def turn(self) -> None:
        """Let everything that is ready run once."""
        await asyncio.sleep(0)

    def topics(self) -> list[str]:
        return [msg.topic or "" for msg in self.requests]


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., FluxTop]:
    def make(
        source: ScriptedSource,
        *,
        theme: str = DEFAULT,
        themes: Mapping[str, Theme] | None = None,
        plain: bool = False,
        **options: Any,
    ) -> FluxTop:
        folder = themes_folder()
        desk = Desk(
            source,
            Drafts(tmp_path / "drafts"),
            clock=lambda: NOW,
            glyphs=ASCII if plain else UNICODE,
            **options,
        )
        return FluxTop(
            desk,
            css=folder / "fluxtop.tcss",
            themes={**load_all([folder]), **(themes or {})},
            theme=theme,
        )

    return make


def screen_of(pilot: Pilot) -> str:
    """What is on the screen, line by line, as a user reads it."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(line.text.rstrip() for line in lines)


@pytest.fixture
def screen_text() -> Callable[[Pilot], str]:
    return screen_of


async def came_true(pilot: Pilot, true: Callable[[], bool]) -> bool:
    """Let the console work until something is true; False after some seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        await pilot.pause()
        if true():
            return True
    return False


@pytest.fixture
def see() -> Callable[..., Awaitable[str]]:
    """Wait until texts are on the screen; the screen."""

    async def wait(pilot: Pilot, *texts: str) -> str:
        await came_true(pilot, lambda: all(text in screen_of(pilot) for text in texts))
        screen = screen_of(pilot)
        missing = [text for text in texts if text not in screen]
        assert not missing, f"{missing} not on the screen:\n{screen}"
        return screen

    return wait


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Wait until something is true."""

    async def wait(pilot: Pilot, true: Callable[[], bool]) -> None:
        assert await came_true(pilot, true), "it never came true"

    return wait
