"""What the footer and the strip of panes say."""

from collections.abc import Callable, Iterable, Mapping

from fluxtop.actions import PANES, Action, Context, enabled
from fluxtop.bindings import key_name, keys_of
from fluxtop.cells import Cell, Role, Span


def footer(
    scopes: Iterable[tuple[Iterable[Action], Context]],
    keymap: Mapping[str, str],
    typed: Callable[[str], bool] = lambda _key: False,
) -> Cell:
    """The keys that do something here and now, those of the focused pane first.

    :param typed: true of a key that puts a character into a text and does nothing else
    """
    spans: list[Span] = []
    for actions, context in scopes:
        for action in actions:
            keys = [key for key in keys_of(action, keymap) if not typed(key)]
            if not action.footer or not keys or not enabled(action, context):
                continue
            key = key_name(keys[0])
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
