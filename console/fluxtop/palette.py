"""The command palette: every action that makes sense now, found by its words."""

from collections.abc import Iterator
from functools import partial
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from fluxtop.actions import GROUPS, Action


class Performer(Protocol):
    """What the palette needs of the console."""

    def possible_actions(self) -> Iterator[Action]:
        """The actions that make sense now."""

    def perform(self, action: Action, argument: str = "") -> None:
        """Carry out an action."""


class ActionProvider(Provider):
    """The actions as the palette wants them."""

    @property
    def _console(self) -> Performer:
        return cast(Performer, self.app)

    async def discover(self) -> Hits:
        """All of them."""
        for action in self._console.possible_actions():
            yield DiscoveryHit(_title(action), partial(self._console.perform, action))

    async def search(self, query: str) -> Hits:
        """Those that match ``query``."""
        matcher = self.matcher(query)
        for action in self._console.possible_actions():
            title = _title(action)
            score = matcher.match(title)
            if score > 0:
                perform = partial(self._console.perform, action)
                yield Hit(score, matcher.highlight(title), perform, help=action.id)


def _title(action: Action) -> str:
    return f"{GROUPS[action.scope]}: {action.help}"
