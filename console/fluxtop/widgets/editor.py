"""The editor for jobspecs: YAML and JSON in the theme's colours, with a faulty line marked.

Importing this imports tree-sitter; nothing at the console's start does.
"""

from typing import Any

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from fluxtop.widgets.late_hide import LateHide


class Editor(LateHide, TextArea):
    """A text area that can mark a line, and that escape leaves."""

    class Left(Message):
        """The user has pressed escape."""

    def __init__(self) -> None:
        super().__init__(
            language="yaml",
            soft_wrap=False,
            show_line_numbers=True,
            tab_behavior="indent",
            compact=True,
        )
        self.indent_width = 2
        self.cursor_blink = False  # a blink is a repaint twice a second, over ssh too
        self._marked: int | None = None

    def on_mount(self) -> None:
        """Take the theme's colours, now and when it changes."""
        self._take_colors()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._take_colors())

    def _take_colors(self) -> None:
        self.register_theme(syntax_theme(self.app.theme_variables))
        self.theme = "css"
        self.theme = "fluxtop"

    def mark(self, line: int | None) -> None:
        """Mark a line (from 1), or none."""
        if line != self._marked:
            self._marked = line
            self.notify_style_update()
            self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Show lines from their beginning if the cursor can be seen so: what was typed before
        there was any room has scrolled them aside.
        """
        if self.cursor_location[1] < event.size.width - self.gutter_width:
            self.scroll_to(x=0, animate=False)

    def undo(self) -> None:
        """Take the last edit back."""
        super().undo()
        self._rewrap()

    def redo(self) -> None:
        """Make the last edit that was taken back again."""
        super().redo()
        self._rewrap()

    def _rewrap(self) -> None:
        """Count the lines anew: Textual miscounts after an undo, and then draws one too many."""
        self._rewrap_and_refresh_virtual_size()

    def get_line(self, line_index: int) -> Text:
        """A line's text; that of the marked one stands out."""
        line = super().get_line(line_index)
        if self._marked == line_index + 1:
            line.stylize(Style(bgcolor=self.app.theme_variables["fault"], underline=True))
        return line

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
        else:
            await super()._on_key(event)


def syntax_theme(colors: dict[str, Any]) -> TextAreaTheme:
    """The roles of a theme for what YAML and JSON are made of."""

    def style(name: str, *, bold: bool = False) -> Style:
        return Style(color=colors[name], bold=bold)

    key, text, number, aside = style("key"), style("good"), style("warn"), style("dim")
    return TextAreaTheme(
        name="fluxtop",
        syntax_styles={
            "yaml.field": key,
            "json.label": key,
            "string": text,
            "string.escape": style("info"),
            "number": number,
            "boolean": number,
            "constant.builtin": number,
            "json.null": number,
            "comment": aside,
            "punctuation.delimiter": aside,
            "punctuation.bracket": aside,
            "punctuation.special": aside,
            "type": style("info"),
            "error": style("bad"),
            "json.error": style("bad"),
        },
    )
