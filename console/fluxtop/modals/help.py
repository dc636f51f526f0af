"""The keys, by where they work."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from fluxtop.actions import GROUPS, allowed, of_scope
from fluxtop.bindings import key_name, keys_of
from fluxtop.cells import Span
from fluxtop.widgets.lines import Lines


class HelpModal(ModalScreen[None]):
    """Every action with its keys and its id, those of the current pane first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "leave", show=False)
    ]

    def __init__(self, scope: str, keymap: Mapping[str, str], read_only: bool) -> None:
        super().__init__()
        others = [group for group in GROUPS if group not in (scope, "app")]
        self._text = help_lines((scope, "app", *others), keymap, read_only)
        self._lines = Lines()

    def compose(self) -> ComposeResult:
        """The table."""
        with Vertical(id="help") as box:
            box.border_title = Content("Keys")
            box.border_subtitle = Content("esc: leave")
            yield self._lines

    def on_mount(self) -> None:
        """Show the lines."""
        self._lines.show(len(self._text), 78, lambda at: self._text[at])

    def action_leave(self) -> None:
        """Leave."""
        self.dismiss()


#: The width of what an action does.
_HELP: Final = 48


def help_lines(
    scopes: Iterable[str], keymap: Mapping[str, str], read_only: bool
) -> list[list[Span]]:
    """The help screen's lines."""
    lines: list[list[Span]] = []
    for scope in scopes:
        if lines:
            lines.append([])
        lines.append([(GROUPS[scope], "strong")])
        for action in of_scope(scope):
            if not allowed(action, read_only):
                continue
            keys = " ".join(map(key_name, keys_of(action, keymap)))
            words = f" :{action.words[0]} {action.takes}".rstrip() if action.words else ""
            gap = " " * max(_HELP - len(action.help) - len(words), 0)
            lines.append(
                [
                    (f"  {keys:<12}", "warn" if action.destructive else "key"),
                    (action.help, "plain"),
                    (words, "info"),
                    (f"{gap}  {action.id}", "dim"),
                ]
            )
    return lines
