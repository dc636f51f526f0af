"""The modules of a rank: what runs there, and how it fares."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.wire.payload import need_int, need_list, need_str
from fluxtop.data.source import DEADLINE

#: Seconds between an answer to module.list and the next question.
PAUSE: Final = 1.0

#: Letter and word of a module's status (CONTRACTS A20, A21).
STATUS: Final = (("I", "init"), ("R", "running"), ("F", "finalizing"), ("X", "exited"))


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """One loaded module.

    ``idle`` is the whole seconds since it last sent a message, as the broker counted them when
    it answered; ``services`` are those beside its own name.
    """

    name: str
    path: str
    idle: int
    status: int
    services: tuple[str, ...]
    sendq: int
    recvq: int

    @property
    def letter(self) -> str:
        """I, R, F or X; ? for a status that is none of ours."""
        return STATUS[self.status][0] if 0 <= self.status < len(STATUS) else "?"

    @property
    def word(self) -> str:
        """The status in a word."""
        return STATUS[self.status][1] if 0 <= self.status < len(STATUS) else "unknown"


@dataclass(frozen=True, slots=True)
class ModuleList:
    """The modules of ``rank``, in no order."""

    rank: int
    rows: tuple[ModuleRow, ...]


@dataclass(frozen=True, slots=True)
class ModulesOf:
    """Follow the modules of a rank: ask, and ask again a second after the answer."""

    rank: int

    async def follow(self, flux: Flux, emit: Callable[[ModuleList], None]) -> None:
        """Emit a ModuleList for each answer of module.list."""
        while True:
            answer = await flux.rpc("module.list", nodeid=self.rank, timeout=DEADLINE)
            emit(decode_list(self.rank, answer.json))
            await asyncio.sleep(PAUSE)


def decode_list(rank: int, payload: Mapping[str, Any]) -> ModuleList:
    """A module.list answer.

    :raises PayloadError: it is none
    """
    return ModuleList(rank, tuple(_row(mod) for mod in need_list(payload, "mods")))


def _row(mod: Mapping[str, Any]) -> ModuleRow:
    name = need_str(mod, "name")
    return ModuleRow(
        name=name,
        path=need_str(mod, "path"),
        idle=need_int(mod, "idle"),
        status=need_int(mod, "status"),
        services=tuple(sorted(s for s in need_list(mod, "services") if s != name)),
        sendq=need_int(mod, "sendqueue"),
        recvq=need_int(mod, "recvqueue"),
    )


@dataclass(frozen=True, slots=True)
class ModuleStats:
    """Follow the statistics of a module: ask, and ask again a second after the answer."""

    rank: int
    name: str

    async def follow(self, flux: Flux, emit: Callable[[Mapping[str, Any]], None]) -> None:
        """Emit each answer of the module's stats-get, as it is."""
        while True:
            answer = await flux.rpc(f"{self.name}.stats-get", nodeid=self.rank, timeout=DEADLINE)
            emit(answer.json)
            await asyncio.sleep(PAUSE)
