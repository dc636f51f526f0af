"""Not losing the focus to an event that is out of date.

Textual tells a widget that it was hidden when the screen has been laid out, and a widget that is
hidden gives the focus away. If by then a key has brought it back, with the focus, it must not.
"""

from textual import events
from textual.widget import Widget


class LateHide:
    """What a widget that is hidden and shown again, and takes keys, is made of too."""

    def on_hide(self, event: events.Hide) -> None:
        """Give the focus away only if nobody can see it here."""
        assert isinstance(self, Widget)
        if all(node.display for node in self.ancestors_with_self):
            event.prevent_default()
