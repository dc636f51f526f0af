"""The line at the foot of a pane where a filter is typed."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from fluxtop.widgets.late_hide import LateHide


class FilterBar(LateHide, Input):
    """Hidden until it is asked for; what is typed filters at once."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave(True)", show=False)]

    class Filtered(Message):
        """The text is another one; ``done`` is true if the user has left the line."""

        def __init__(self, text: str, done: bool) -> None:
            super().__init__()
            self.text = text
            self.done = done

    def __init__(self) -> None:
        super().__init__(placeholder="filter", compact=True)
        self.cursor_blink = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by what is typed so far."""
        event.stop()
        self.post_message(self.Filtered(self.value, done=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the rows."""
        event.stop()
        self.action_leave(False)

    def action_leave(self, clear: bool) -> None:
        """Go back to the rows."""
        if clear:
            self.value = ""
        self.display = bool(self.value)
        self.post_message(self.Filtered(self.value, done=True))
