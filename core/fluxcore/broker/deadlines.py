"""What a broker does when a step of its way down takes too long (CONTRACTS B9, B16)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.state import State
from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR
from fluxcore.job.fsd import parse_fsd
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

#: The attributes, durations or "none", and their defaults.
DEFAULTS: Final[Mapping[str, str]] = {
    "broker.cleanup-timeout": "none",
    "broker.shutdown-warn": "1m",
    "broker.shutdown-timeout": "none",
    "broker.unload-builtins-timeout": "1m",
}


class Deadlines:
    """Watches how long the broker stays in a state.

    ``expedite`` says that a signal has asked for the end: only then is cleanup cut short.

    :param abort_cleanup: hangs up on what runs in CLEANUP
    :param post: posts an event to the state machine
    """

    def __init__(
        self,
        flux: Flux,
        attrs: Attributes,
        rank: int,
        post: Callable[[str], None],
        abort_cleanup: Callable[[], object],
    ) -> None:
        self.expedite = False
        self._flux = flux
        self._attrs = attrs
        self._rank = rank
        self._post = post
        self._abort_cleanup = abort_cleanup
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def entered(self, state: State) -> None:
        """The broker has entered ``state``: what was for the one before counts no more."""
        self.close()
        if state is State.CLEANUP and self.expedite:
            self._arm("broker.cleanup-timeout", self._abort_cleanup)
        elif state is State.SHUTDOWN:
            self._arm("broker.shutdown-warn", self._warn)
            if self._rank == 0:
                self._arm("broker.shutdown-timeout", self._give_up_children)
        elif state is State.UNLOAD_BUILTINS:
            self._arm("broker.unload-builtins-timeout", self._give_up_builtins)

    def close(self) -> None:
        """Stop the timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _arm(self, name: str, act: Callable[[], object]) -> None:
        text = self._setting(name)
        if text != "none":
            self._timers[name] = self._flux.loop.call_later(parse_fsd(text), act)

    def _warn(self) -> None:
        self._flux.task(self._say_who_is_late(), "overlay.health")
        self._arm("broker.shutdown-warn", self._warn)

    async def _say_who_is_late(self) -> None:
        ranks = _online(await self._health())
        hosts = Hostlist.decode(self._attrs.get("hostlist") or "")
        names = Hostlist(hosts[rank] for rank in ranks).encode()
        text = f"waiting for {len(ranks)} peers: {names} (rank {ranks.encode()})"
        self._flux.log(LOG_ERR, f"shutdown delayed: {text}")

    async def _health(self) -> Mapping[str, Any]:
        return (await self._flux.rpc("overlay.health", nodeid=self._rank)).json

    def _give_up_children(self) -> None:
        self._flux.log(LOG_ERR, "shutdown timeout")
        self._post("children-complete")

    def _give_up_builtins(self) -> None:
        self._flux.task(self._say_what_hangs(), "module.list")

    async def _say_what_hangs(self) -> None:
        try:
            listed = (await self._flux.rpc("module.list", nodeid=self._rank)).json["mods"]
            names = " ".join(entry["name"] for entry in listed)
            waited = parse_fsd(self._setting("broker.unload-builtins-timeout"))
            text = f"unloading built-in broker module timed out after {waited:.1f}s: {names}"
            self._flux.log(LOG_ERR, text)
        finally:
            self._post("builtins-unload-fail")

    def _setting(self, name: str) -> str:
        return self._attrs.get(name) or DEFAULTS[name]


def _online(health: Mapping[str, Any]) -> IdSet:
    """The children that have not gone, in an answer of overlay.health."""
    gone = ("offline", "lost")
    return IdSet(child["rank"] for child in health["children"] if child["status"] not in gone)
