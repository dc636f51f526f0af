"""The line at the foot of the screen where a command is typed."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input

from fluxtop.widgets.late_hide import LateHide


class CommandLine(LateHide, Input):
    """Hidden until it is asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    class Entered(Message):
        """A command was typed; empty if the user has left the line."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, words: list[str]) -> None:
        super().__init__(
            placeholder="command (:attach URI, :load NAME, :w, :q, ...)",
            suggester=SuggestFromList(words),
            compact=True,
            id="command-line",
        )
        self.cursor_blink = False
        self.display = False

    def ask(self, begun: str = "") -> None:
        """Show the line and type into it, after what is ``begun``."""
        self.value = begun
        self.display = True
        self.screen.set_focus(self)
        self.cursor_position = len(begun)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the command to the console."""
        event.stop()
        self._leave(self.value.strip().removeprefix(":").strip())

    def action_leave(self) -> None:
        """Leave without a command."""
        self._leave("")

    def _leave(self, line: str) -> None:
        self.display = False
        self.post_message(self.Entered(line))
