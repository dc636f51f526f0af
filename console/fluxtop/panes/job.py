"""One job: what has happened to it, and what it prints."""

from typing import Any, Final

import orjson
from textual.app import ComposeResult
from textual.message import Message

from fluxcore.job.eventlog import Event
from fluxtop.bindings import bindings
from fluxtop.cells import Span
from fluxtop.data.job import Happened, JobDocument, JobWatch, OutputWatch, Printed
from fluxtop.data.jobs import Job, JobEvents
from fluxtop.data.jobs_model import advance
from fluxtop.data.output_model import OutputModel
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.panes.jobs import ask_cancel
from fluxtop.panes.pane import Pane
from fluxtop.present.events import event_line, widest
from fluxtop.present.job import summary
from fluxtop.present.jobs import how_it_failed, short_id
from fluxtop.present.json_text import dress
from fluxtop.present.output import output_line
from fluxtop.widgets.bar import Bar
from fluxtop.widgets.lines import Lines

#: What is shown below the events, in turn.
_VIEWS: Final = ("output", "jobspec", "R")


class JobPane(Pane):
    """The job's eventlog as a timeline, and its output live; its jobspec and R on demand."""

    ID = "job"
    BINDINGS = bindings("job")

    class EditAsked(Message):
        """The user wants to edit a jobspec and submit it again."""

        def __init__(self, jobspec: str) -> None:
            super().__init__()
            self.jobspec = jobspec

    def __init__(self, desk: Desk) -> None:
        self._summary = Bar(glyphs=desk.glyphs)
        self._timeline = Lines(tail=True)
        self._heading = Bar(glyphs=desk.glyphs)
        self._lines = Lines(tail=True)
        super().__init__(desk, self._lines)
        self._jobid: int | None = None
        self._forget()

    def compose(self) -> ComposeResult:
        """What it is, its events, and its output below."""
        self._timeline.add_class("timeline")
        self._heading.add_class("heading")
        yield self._summary
        yield self._timeline
        yield self._heading
        yield from super().compose()

    # -- which job -------------------------------------------------------------------------

    def open(self, job: int) -> None:
        """Show another job."""
        self.stop()
        self._jobid = job
        self._forget()
        self._tell()
        if self.on_screen:
            self.start()

    def _forget(self) -> None:
        self._job = Job(self._jobid or 0)
        self._events: list[Event] = []
        self._output = OutputModel()
        self._parsed: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, list[str]] = {}
        self._view = _VIEWS[0]
        self._over = False

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the job."""
        if self._jobid is None:
            self._timeline.say("no job is open: choose one in the Jobs pane")
            return
        self._timeline.say("reading the eventlog")
        self.follow("events", JobWatch(self._jobid), self._take_events)
        self.run_worker(self._read("jobspec"))
        if self._started:
            self._follow_output()

    @property
    def _started(self) -> bool:
        return any(event.name == "start" for event in self._events)

    def _follow_output(self) -> None:
        if self._jobid is not None and "output" not in self.followed:
            self._lines.say("waiting for output")
            self.follow("output", OutputWatch(self._jobid), self._take_output)

    def _take_events(self, happened: Happened) -> None:
        if happened.first:
            self._events.clear()
        self._events.extend(happened.events)
        if self._started:
            self._follow_output()
        if any(event.name == "alloc" for event in happened.events):
            self.run_worker(self._read("R"))
        self._tell()

    def _take_output(self, printed: Printed) -> None:
        if printed.first:
            self._output = OutputModel()
        self._output.add(printed.output)
        self._over = printed.end
        self._lines.say("it printed nothing" if printed.end else "waiting for output")
        self._show_view()

    async def _read(self, key: str) -> None:
        """Read a document; one that is not there (yet) is simply not shown."""
        if self._jobid is None:
            return
        job = self._jobid
        try:
            document = orjson.loads(await self.desk.source.call(JobDocument(job, key)))
            lines = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode().split("\n")
        except (OSError, orjson.JSONDecodeError) as exc:
            document = None
            lines = [f"{key}: {getattr(exc, 'strerror', None) or exc}"]
        if job != self._jobid:
            return  # the user has opened another job meanwhile
        self._documents[key] = lines
        if document is not None:
            self._parsed[key] = document
        self._tell()

    # -- showing ---------------------------------------------------------------------------

    def _tell(self) -> None:
        if self._jobid is None:
            return
        told = JobEvents(
            self._jobid, tuple(self._events), self._parsed.get("jobspec"), self._parsed.get("R")
        )
        self._job = advance(Job(self._jobid), told)
        self._summary.show(summary(self._job, self.desk.now, self.desk.glyphs))
        if not self._started:
            self._lines.say(how_it_failed(self._job) or "it has not started")
        self._timeline.show(len(self._events), widest(self._events), self._event)
        self._show_view()
        self.refresh_subtitle()

    def _event(self, at: int) -> list[Span]:
        return event_line(self._events[at], self._events[0].timestamp)

    def _show_view(self) -> None:
        if self._view == "output":
            prefix = 8 if self._output.ntasks > 1 else 0
            self._lines.show(len(self._output.lines), self._output.widest + prefix, self._printed)
            what = "output" if not self._over else "output, complete"
            if self._output.dropped:
                what += f", without its first {self._output.dropped:,} lines"
        else:
            text = self._documents.get(self._view, [])
            self._lines.show(len(text), max(map(len, text), default=0), self._document)
            what = self._view
        self._heading.show(((f" {what}", "dim"),))

    def _printed(self, at: int) -> list[Span]:
        return output_line(self._output.lines[at], self._output.ntasks)

    def _document(self, at: int) -> list[Span]:
        return dress(self._documents[self._view][at])

    def subtitle(self) -> str:
        """The job's id."""
        return "" if self._jobid is None else short_id(self._jobid, self.desk.glyphs)

    def tick(self) -> None:
        """Its time grows."""
        if self._jobid is not None:
            self._summary.show(summary(self._job, self.desk.now, self.desk.glyphs))

    def mark_stale(self, stale: bool) -> None:
        """Grey while the connection is lost."""
        self._timeline.mark(stale=stale)
        self._lines.mark(stale=stale)

    def told_trouble(self, trouble: Trouble) -> None:
        """Say why the job cannot be followed."""
        if not self._events:
            self._timeline.say(str(trouble))

    # -- actions ---------------------------------------------------------------------------

    def action_job_view(self) -> None:
        """Show the next of its output, its jobspec and its resources."""
        self._view = _VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)]
        self._lines.tail = self._view == "output"
        self._lines.scroll_home(animate=False)
        self._show_view()

    def action_job_edit(self) -> None:
        """Edit its jobspec."""
        if self._jobid is not None:
            self.run_worker(self._edit())

    async def _edit(self) -> None:
        if "jobspec" not in self._parsed:
            await self._read("jobspec")
        text = "\n".join(self._documents["jobspec"])
        if "jobspec" in self._parsed:
            self.post_message(self.EditAsked(text))
        else:
            self.notify(text, severity="error", markup=False)

    def action_job_cancel(self) -> None:
        """Cancel it."""
        if self._jobid is not None:
            ask_cancel(self, self._jobid, self._job.name)

    def action_job_copy(self) -> None:
        """Copy its id."""
        if self._jobid is not None:
            text = short_id(self._jobid, self.desk.glyphs)
            self.app.copy_to_clipboard(text)
            self.notify(f"copied {text}", markup=False)
