"""What the footer and the strip of panes say."""

from collections.abc import Iterable, Mapping

from fluxtop.actions import PANES, Action, Context, enabled
from fluxtop.bindings import key_name, keys_of
from fluxtop.cells import Cell, Role, Span


def footer(scopes: Iterable[tuple[Iterable[Action], Context]], keymap: Mapping[str, str]) -> Cell:
    """The keys that do something here and now, those of the focused pane first."""
    spans: list[Span] = []
    for actions, context in scopes:
        for action in actions:
            if not action.footer or not action.keys or not enabled(action, context):
                continue
            key = key_name(keys_of(action, keymap)[0])
            spans += [
                (f" {key} ", "warn" if action.destructive else "key"),
                (f"{action.label} ", "dim"),
            ]
    return tuple(spans)


def strip(focus: str) -> Cell:
    """The names of all panes; the one that is shown stands out."""
    spans: list[Span] = []
    for number, (pane, title) in enumerate(PANES.items(), 1):
        role: Role = "strong" if pane == focus else "dim"
        spans += [(f" {number} ", "key"), (f"{title} ", role)]
    return tuple(spans)
