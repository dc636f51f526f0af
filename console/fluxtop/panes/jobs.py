"""The jobs, in all states."""

from textual.message import Message

from fluxtop.bindings import bindings
from fluxtop.data.jobs import CancelJob, Job, JobsMessage, JobsWatch
from fluxtop.data.jobs_model import JobsModel
from fluxtop.desk import Desk
from fluxtop.modals.question import Question
from fluxtop.panes.pane import Pane
from fluxtop.present import jobs as present
from fluxtop.widgets.table import Table


class JobsPane(Pane):
    """Jobs as they come, run and end; one opens in the Job pane."""

    ID = "jobs"
    EMPTY = "no jobs: n writes a jobspec"
    BINDINGS = bindings("jobs")

    class JobOpened(Message):
        """The user wants to see a job."""

        def __init__(self, job: int) -> None:
            super().__init__()
            self.job = job

    class JobspecAsked(Message):
        """The user wants to write a jobspec."""

    def __init__(self, desk: Desk) -> None:
        self._model = JobsModel()
        self._order = 0
        self._table: Table[Job] = Table(
            present.COLUMNS,
            self._model.rows,
            lambda job: job.id,
            lambda job: present.present(job, desk.now, desk.glyphs),
            glyphs=desk.glyphs,
        )
        super().__init__(desk, self._table)
        self._table.say("asking for the jobs")
        self._table.mark(sorted_by=present.ORDERS[0][0])

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the jobs."""
        self.follow("jobs", JobsWatch(), self._take)

    def _take(self, message: JobsMessage) -> None:
        self._model.apply(message)
        self._table.say(self.notice())
        self._table.update()
        self.refresh_subtitle()

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """How many there are, and how they fare."""
        pending, running, failed = self._model.counts()
        shown = ", active only" if self._model.active_only else ""
        return f"{pending} pending, {running} running, {failed} failed{shown}"

    def has_row(self) -> bool:
        """True if a job is under the cursor."""
        return self._table.row is not None

    def tick(self) -> None:
        """Times grow."""
        self._table.refresh_rows()

    def filter(self, text: str) -> None:
        """Show only jobs that contain ``text``."""
        self._model.show(needle=text)
        self._table.update()

    def mark_stale(self, stale: bool) -> None:
        """Grey while the connection is lost."""
        self._table.mark(stale=stale)

    # -- actions ---------------------------------------------------------------------------

    def on_table_chosen(self) -> None:
        """A job was clicked twice."""
        self.action_jobs_open()

    def action_jobs_open(self) -> None:
        """Show the job."""
        job = self._table.row
        if job is not None:
            self.post_message(self.JobOpened(job.id))

    def action_jobs_new(self) -> None:
        """Write a jobspec."""
        self.post_message(self.JobspecAsked())

    def action_jobs_cancel(self) -> None:
        """Cancel the job."""
        job = self._table.row
        if job is not None:
            ask_cancel(self, job.id, job.name)

    def action_jobs_active(self) -> None:
        """Show active jobs only, or all."""
        self._model.show(active_only=not self._model.active_only)
        self._table.update()
        self.refresh_subtitle()

    def action_jobs_sort(self) -> None:
        """Sort by the next column."""
        self._order = (self._order + 1) % len(present.ORDERS)
        column, key, reverse = present.ORDERS[self._order]
        self._model.rows.sort(key, reverse=reverse)
        self._table.mark(sorted_by=column)
        self._table.update()

    def action_jobs_copy(self) -> None:
        """Copy the job's id."""
        job = self._table.row
        if job is not None:
            text = present.short_id(job.id, self.desk.glyphs)
            self.app.copy_to_clipboard(text)
            self.notify(f"copied {text}", markup=False)


def ask_cancel(pane: Pane, job: int, name: str) -> None:
    """Ask whether to cancel a job, and do so."""
    text = present.short_id(job, pane.desk.glyphs)
    question = Question(
        title=f"Cancel {text} {name}".rstrip(),
        build=lambda _typed: CancelJob(job),
        doing="cancelling",
    )
    pane.ask(question, f"{text} is cancelled")
