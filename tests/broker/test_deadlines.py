"""What takes too long on the way down; time is virtual (CONTRACTS B9, B16)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.deadlines import DEFAULTS, Deadlines
from fluxcore.broker.state import State
from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import parse_line
from fluxcore.wire.message import Message, response
from support.virtual_time import run_in_virtual_time

HEALTH = {
    "rank": 0,
    "status": "partial",
    "children": [
        {"rank": 1, "status": "full"},
        {"rank": 2, "status": "offline"},
        {"rank": 3, "status": "lost"},
        {"rank": 4, "status": "partial"},
    ],
}
MODULES = {"mods": [{"name": "config"}, {"name": "overlay"}]}


class Rig:
    """Deadlines, and what they have led to, each thing with its time."""

    def __init__(self, rank: int = 0, **attrs: str) -> None:
        self.seen: list[tuple[float, str]] = []
        table = Attributes()
        table.set("hostlist", "a[0-4]")
        named = {"broker." + name.replace("_", "-"): value for name, value in attrs.items()}
        for name, value in {**DEFAULTS, **named}.items():
            table.set(name, value)
        self.flux = Flux(self._send, attrs={"rank": str(rank)})
        self.deadlines = Deadlines(self.flux, table, rank, self._see, lambda: self._see("abort"))

    def _see(self, what: str) -> None:
        self.seen.append((round(self.flux.loop.time() - self.began, 3), what))

    def _send(self, msg: Message) -> None:
        if msg.topic == "log.append":
            self._see(parse_line(msg.data or b"").text)
        else:
            answer: Any = HEALTH if msg.topic == "overlay.health" else MODULES
            self.flux.loop.call_soon(self.flux.receive, response(msg, answer))

    async def stay(self, state: State, seconds: float) -> list[tuple[float, str]]:
        self.began = self.flux.loop.time()
        self.deadlines.entered(state)
        await asyncio.sleep(seconds)
        self.deadlines.entered(State.EXIT)
        await asyncio.sleep(1000)
        return self.seen


def play(story: Callable[[], Any]) -> None:
    run_in_virtual_time(story())


LATE = "shutdown delayed: waiting for 2 peers: a[1,4] (rank 1,4)"


def test_who_keeps_a_shutdown_waiting_is_named_again_and_again() -> None:
    async def story() -> None:
        assert await Rig().stay(State.SHUTDOWN, 150) == [(60, LATE), (120, LATE)]
        assert await Rig(shutdown_warn="none").stay(State.SHUTDOWN, 150) == []
        assert await Rig(rank=3, shutdown_warn="1s").stay(State.SHUTDOWN, 1.5) == [(1, LATE)]

    play(story)


def test_a_leader_may_be_told_not_to_wait_for_ever() -> None:
    async def story() -> None:
        seen = await Rig(shutdown_timeout="5s").stay(State.SHUTDOWN, 10)
        assert seen == [(5, "shutdown timeout"), (5, "children-complete")]
        assert await Rig(rank=1, shutdown_timeout="5s").stay(State.SHUTDOWN, 10) == []
        assert await Rig(shutdown_timeout="5s").stay(State.SHUTDOWN, 4) == []

    play(story)


@pytest.mark.parametrize(
    ("expedite", "timeout", "seen"),
    [(True, "2s", [(2, "abort")]), (False, "2s", []), (True, "none", [])],
)
def test_cleanup_is_cut_short_if_a_signal_asked_for_the_end(
    expedite: bool, timeout: str, seen: list[tuple[float, str]]
) -> None:
    async def story() -> None:
        rig = Rig(cleanup_timeout=timeout)
        rig.deadlines.expedite = expedite
        assert await rig.stay(State.CLEANUP, 10) == seen

    play(story)


def test_a_built_in_module_that_hangs_is_left_behind() -> None:
    async def story() -> None:
        text = "unloading built-in broker module timed out after 60.0s: config overlay"
        seen = await Rig().stay(State.UNLOAD_BUILTINS, 100)
        assert seen == [(60, text), (60, "builtins-unload-fail")]
        assert await Rig(unload_builtins_timeout="none").stay(State.UNLOAD_BUILTINS, 100) == []

    play(story)
