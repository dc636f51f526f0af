"""The value of a key, as it is now."""

from rich.cells import cell_len

from fluxtop.bindings import bindings
from fluxtop.cells import Span
from fluxtop.data.kvs import KeyWatch
from fluxtop.data.trouble import Trouble
from fluxtop.data.values import FORMS, Shown, has, show
from fluxtop.desk import Desk
from fluxtop.panes.pane import Pane
from fluxtop.present.events import event_line, widest
from fluxtop.present.json_text import dress
from fluxtop.widgets.lines import Lines


class ValuePane(Pane):
    """A value as text, JSON, an eventlog or bytes; it changes before the reader's eyes."""

    ID = "value"
    BINDINGS = bindings("value")

    def __init__(self, desk: Desk) -> None:
        self._lines = Lines()
        super().__init__(desk, self._lines)
        self._key: KeyWatch | None = None
        self._data: bytes | None = None
        self._form = "auto"
        self._shown = Shown("text")
        self._changes = -1

    def open(self, namespace: str, key: str) -> None:
        """Show the value of another key."""
        self._key = KeyWatch(namespace, key)
        self._form = "auto"
        self._forget()
        self._lines.tail = False
        self._lines.scroll_home(animate=False)
        self._lines.say(f"reading {key}")
        if self.on_screen:
            self.start()
        self.refresh_subtitle()

    def _forget(self) -> None:
        self._data = None
        self._changes = -1
        self._shown = Shown("text")
        self._lines.show(0, 0, self._line)

    def start(self) -> None:
        """Follow the key."""
        if self._key is not None:
            self.follow("key", self._key, self._take)

    def _take(self, data: bytes | None) -> None:
        if data is None:
            self._forget()
            self._lines.say("there is no such key: it is waited for")
        elif data != self._data:
            self._data = data
            self._changes += 1
            self._draw()

    def told_trouble(self, trouble: Trouble) -> None:
        """Say why the value cannot be read."""
        if self._data is None:
            self._lines.say(str(trouble))

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """The key, the form, the size, and how often the value has changed."""
        if self._key is None:
            return ""
        if self._data is None:
            return self._key.key
        changed = f", changed {self._changes}x" if self._changes else ""
        cut = ", cut" if self._shown.cut else ""
        return f"{self._key.key}  {self._shown.form}, {len(self._data)} B{cut}{changed}"

    def mark_stale(self, stale: bool) -> None:
        """Grey while the connection is lost."""
        self._lines.mark(stale=stale)

    def _draw(self) -> None:
        if self._data is None:
            return
        self._shown = show(self._data, self._form)
        shown = self._shown
        if shown.form == "events":
            self._lines.show(len(shown.events), widest(shown.events), self._line)
        else:
            cells = max(map(cell_len, shown.lines), default=0)
            self._lines.show(len(shown.lines), cells, self._line)
        self.refresh_subtitle()

    def _line(self, at: int) -> list[Span]:
        shown = self._shown
        if shown.form == "events":
            return event_line(shown.events[at], shown.events[0].timestamp)
        line = shown.lines[at]
        return dress(line) if shown.form == "json" else [(line, "plain")]

    # -- actions ---------------------------------------------------------------------------

    def action_value_form(self) -> None:
        """Show it in its next form."""
        if self._data is None:
            return
        here = FORMS.index(self._shown.form)
        others = (*FORMS[here + 1 :], *FORMS[:here])
        self._form = next((form for form in others if has(self._data, form)), self._form)
        self._draw()

    def action_value_copy(self) -> None:
        """Copy the value as text."""
        if self._data is not None:
            self.app.copy_to_clipboard(self._data.decode(errors="replace"))
            self.notify("copied the value")
