"""The jobspec editor: what is saved here is submitted."""

import os
from collections.abc import Mapping
from typing import Any, Final

import orjson
from textual.app import ComposeResult
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from fluxcore.job.jobspec_counts import total
from fluxcore.job.jobspec_text import dump_text, template
from fluxtop.bindings import bindings
from fluxtop.cells import Cell
from fluxtop.data.jobspecs import Checked, SubmitJob, check, complete
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.panes.pane import Pane
from fluxtop.present.job import asks_for
from fluxtop.present.jobs import short_id
from fluxtop.widgets.bar import Bar
from fluxtop.widgets.editor import Editor

#: The draft's name; one jobspec is written at a time.
DRAFT: Final = "jobspec.yaml"
#: Seconds without a key after which what is typed is kept on disk.
QUIET: Final = 0.3

_COMMAND: Final = ["echo", "hello potato 🥔️🍠️"]


class JobspecPane(Pane, can_focus=True):
    """A jobspec in YAML or JSON, held against the schema as it is typed."""

    ID = "jobspec"
    BINDINGS = bindings("jobspec")

    class Submitted(Message):
        """The instance has taken the job."""

        def __init__(self, job: int) -> None:
            super().__init__()
            self.job = job

    def __init__(self, desk: Desk) -> None:
        self._editor = Editor()
        self._verdict = Bar(glyphs=desk.glyphs)
        super().__init__(desk, self._editor)
        self._checked = Checked(None)
        self._saving: Timer | None = None
        self._submitting = False
        self._last = ""
        #: True once the user has had the text before their eyes.
        self._shown = False
        #: The text to begin with, if it was given before there was an editor.
        self._given = ""

    def compose(self) -> ComposeResult:
        """The editor, and what is to be said about what is in it."""
        self._verdict.add_class("verdict")
        yield from super().compose()
        yield self._verdict

    def on_mount(self) -> None:
        """Go on where the user was, or begin with the template."""
        text = self._draft() or template(_COMMAND)
        self._editor.load_text(text)
        self._set_language(text)
        if self._given:
            self._replace(self._given)

    def _draft(self) -> str | None:
        try:
            return self.desk.drafts.load(DRAFT)
        except (OSError, UnicodeDecodeError) as exc:
            self.notify(f"the draft is lost: {exc}", severity="error", markup=False)
            return None

    # -- the text --------------------------------------------------------------------------

    def edit(self, text: str) -> None:
        """Edit another jobspec; undo brings back what was there."""
        if self.is_mounted:
            self._replace(text)
        else:
            self._given = text

    def _replace(self, text: str) -> None:
        self._editor.replace(text, (0, 0), self._editor.document.end)
        self._editor.move_cursor((0, 0))
        self._set_language(text)

    def _set_language(self, text: str) -> None:
        self._editor.language = "json" if text.lstrip().startswith("{") else "yaml"

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Check what is typed, and keep it on disk once the keys rest."""
        event.stop()
        self._shown = True
        self._checked = check(self._editor.text)
        fault = self._checked.fault
        self._editor.mark(fault.line if fault else None)
        self._tell()
        if self._saving is not None:
            self._saving.stop()
        self._saving = self.set_timer(QUIET, self.save)

    def save(self) -> None:
        """Keep what is typed on disk."""
        if self._saving is not None:
            self._saving.stop()
            self._saving = None
        try:
            self.desk.drafts.save(DRAFT, self._editor.text)
        except OSError as exc:
            self.notify(f"the draft is not saved: {exc}", severity="error", markup=False)

    def on_unmount(self) -> None:
        """Keep what is typed on disk."""
        if self._saving is not None:
            self.save()

    # -- what is said about it -------------------------------------------------------------

    def _tell(self) -> None:
        self._verdict.show(self._say(), ((f"{self._last} ", "key"),) if self._last else ())
        self.refresh_subtitle()

    def _say(self) -> Cell:
        fault = self._checked.fault
        if self._submitting:
            return ((" submitting", "info"),)
        if fault is not None:
            return ((f" line {fault.line}: ", "bad"), (fault.text, "bad"))
        return ((" valid", "good"), (f"  {self._counts()}", "dim"))

    def _counts(self) -> str:
        if self._checked.jobspec is None:
            return ""
        return asks_for(total(dict(self._checked.jobspec)))

    def subtitle(self) -> str:
        """The language."""
        return (self._editor.language or "").upper()

    # -- actions ---------------------------------------------------------------------------

    def on_editor_left(self) -> None:
        """Escape leaves the text: plain letters act again."""
        self.focus()

    def action_jobspec_edit(self) -> None:
        """Type in the editor."""
        self._editor.focus()

    def action_jobspec_template(self) -> None:
        """Start from the template."""
        self.edit(template(_COMMAND))

    def action_jobspec_format(self) -> None:
        """Write the jobspec as JSON, or as YAML."""
        jobspec = self._checked.jobspec
        if jobspec is None:
            self.notify("it must be valid first", severity="warning")
        elif self._editor.language == "json":
            self.edit(dump_text(jobspec))
        else:
            self.edit(orjson.dumps(jobspec, option=orjson.OPT_INDENT_2).decode() + "\n")

    def action_jobspec_submit(self) -> None:
        """Save and submit."""
        if not self._shown:
            self.notify("this is what would be submitted: save again", severity="warning")
            return
        self.save()
        jobspec = self._checked.jobspec
        if jobspec is None:
            fault = self._checked.fault
            if fault is not None:
                self._editor.move_cursor((fault.line - 1, fault.column - 1))
                self.notify(f"line {fault.line}: {fault.text}", severity="error", markup=False)
        elif not self._submitting:
            self.run_worker(self._submit(jobspec))

    async def _submit(self, jobspec: Mapping[str, Any]) -> None:
        self._submitting = True
        self._tell()
        try:
            ready = complete(jobspec, os.environ, os.getcwd())
            job = await self.desk.source.call(SubmitJob(ready))
        except OSError as exc:
            self.notify(str(Trouble.of(exc)), title="not submitted", severity="error", markup=False)
        else:
            self._last = short_id(job, self.desk.glyphs)
            self.notify(f"submitted {self._last}", markup=False)
            self.post_message(self.Submitted(job))
        finally:
            self._submitting = False
            self._tell()
