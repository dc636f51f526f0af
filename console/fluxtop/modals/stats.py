"""A module's statistics, alive."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from fluxtop.data.modules import ModuleStats
from fluxtop.data.source import Watch
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.present.json_text import dress
from fluxtop.widgets.lines import Lines


class StatsModal(ModalScreen[None]):
    """What the module's stats-get answers, asked again each second."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,s", "leave", show=False)]

    def __init__(self, desk: Desk, subject: ModuleStats) -> None:
        super().__init__()
        self._desk = desk
        self._subject = subject
        self._lines = Lines()
        self._watch: Watch | None = None

    def compose(self) -> ComposeResult:
        """The answer as JSON."""
        with Vertical(id="stats") as box:
            box.border_title = Content(f"{self._subject.name} on rank {self._subject.rank}")
            box.border_subtitle = Content("esc: leave")
            self._lines.say("asking")
            yield self._lines

    def on_mount(self) -> None:
        """Begin to follow."""
        self._watch = self._desk.source.watch(self._subject, self._take)

    def on_unmount(self) -> None:
        """Follow no more."""
        if self._watch is not None:
            self._watch.stop()

    def _take(self, message: Mapping[str, Any] | Trouble) -> None:
        if isinstance(message, Trouble):
            self._lines.say(str(message))
            self._lines.show(0, 0, lambda _: ())
            return
        text = orjson.dumps(message, option=orjson.OPT_INDENT_2).decode().split("\n")
        self._lines.show(len(text), max(map(len, text)), lambda at: dress(text[at]))

    def action_leave(self) -> None:
        """Leave."""
        self.dismiss()
