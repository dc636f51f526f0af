"""A question before something is done.

The modal shows the ``flux`` command that does the same, carries the operation out, and stays
open with errno and text if it fails, so that nothing typed is lost. What has begun goes on when the
user leaves: a module that was removed to be reloaded must be loaded again.
"""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.modals.question import Command, Field, Question


class OperationModal(ModalScreen[Command | None]):
    """Ask a :class:`Question`; its result is the operation carried out, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("enter", "confirm", show=False),
    ]

    def __init__(self, desk: Desk, question: Question) -> None:
        super().__init__()
        self._desk = desk
        self._question = question
        self._doing: Command | None = None

    def compose(self) -> ComposeResult:
        """The question, its fields, the command, and what came of it."""
        question = self._question
        with Vertical(id="operation") as box:
            box.border_title = Content(question.title)
            box.border_subtitle = Content("enter: do it   esc: leave")
            yield Label(id="command")
            if question.note:
                yield Label(Content(question.note), classes="note")
            for field in self._fields():
                yield Label(Content(field.hint), classes="hint")
                entry = Input(field.value, id=f"field-{field.name}", compact=True)
                entry.cursor_blink = False
                yield entry
            yield Label(id="outcome")

    def _fields(self) -> tuple[Field, ...]:
        name = self._question.type_name
        if not name:
            return self._question.fields
        sure = Field("sure", f"Type {name} to confirm; without it the instance or jobs may end.")
        return (*self._question.fields, sure)

    def on_mount(self) -> None:
        """Show the command as it is before anything is typed."""
        self._show_command()

    def on_input_changed(self) -> None:
        """Show the command as it is now."""
        self._show_command()

    def on_input_submitted(self) -> None:
        """Enter in a field does it."""
        self.action_confirm()

    def _typed(self) -> dict[str, str]:
        return {
            field.name: self.query_one(f"#field-{field.name}", Input).value.strip()
            for field in self._fields()
        }

    def _show_command(self) -> None:
        try:
            line = self._question.build(self._typed()).command(self._desk.own_rank)
        except ValueError as exc:
            self._say(str(exc), "bad")
            return
        self.query_one("#command", Label).update(Content.assemble(("$ ", "dim"), (line, "bold")))
        self._say("", "plain")

    def _say(self, text: str, kind: str) -> None:
        label = self.query_one("#outcome", Label)
        label.update(Content(text))
        label.set_class(kind == "bad", "-bad")

    # -- doing it --------------------------------------------------------------------------

    def action_confirm(self) -> None:
        """Do it, if all is said that must be."""
        if self._doing is not None:
            return
        typed = self._typed()
        if self._misses(typed):
            return
        try:
            operation = self._question.build(typed)
        except ValueError as exc:
            self._say(str(exc), "bad")
            return
        self._say(self._question.doing, "plain")
        self._doing = operation
        # The console's, not ours: it goes on if the user leaves.
        self.app.run_worker(self._do(operation))

    def _misses(self, typed: Mapping[str, str]) -> bool:
        """True if something is to be typed yet: it is said, and has the focus."""
        name = self._question.type_name
        for field in self._fields():
            if field.required and not typed[field.name]:
                missing = f"{field.hint}: needed"
            elif field.name == "sure" and typed["sure"] != name:
                missing = f"type {name} to confirm"
            else:
                continue
            self._say(missing, "bad")
            self.query_one(f"#field-{field.name}", Input).focus()
            return True
        return False

    async def _do(self, operation: Command) -> None:
        try:
            await self._desk.source.call(operation)
        except OSError as exc:
            self._doing = None
            self._failed(operation, Trouble.of(exc))
        else:
            self._done(operation)

    def _failed(self, operation: Command, trouble: Trouble) -> None:
        if self.is_attached:
            self._say(str(trouble), "bad")
        else:
            line = operation.command(self._desk.own_rank)
            self.app.notify(str(trouble), title=line, severity="error", timeout=30, markup=False)

    def _done(self, operation: Command) -> None:
        if self.is_attached:
            self.dismiss(operation)
        else:
            line = operation.command(self._desk.own_rank)
            self.app.notify("done", title=line, markup=False)

    def action_leave(self) -> None:
        """Leave; what has begun goes on, and what becomes of it is said."""
        if self._doing is not None:
            self.app.notify(f"still {self._question.doing}", markup=False)
        self.dismiss(None)
