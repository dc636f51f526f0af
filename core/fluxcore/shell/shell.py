"""The shell of a job on one node, without IO (CONTRACTS D21).

Theory of operation: it is told what happens to its tasks and says, through its port (see
:mod:`~fluxcore.shell.port`), what is to be done and what is to be reported to the execution service
on rank 0, which keeps the job's records. A task goes its way by the table below; the shell has
finished when every task has ended and its output with it, and on the leader's node when no task
elsewhere writes to its files.

::

    waiting -started-> running -exited-> ended -closed-> done
    waiting -failed--> done

Output is reported as the data events of RFC 24. What has not been written there yet is bounded:
beyond a window the tasks' output is left in their pipes, until the service gives credit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from fluxcore.job import jobid
from fluxcore.job.output import decode_data
from fluxcore.job.waitstatus import exit_code
from fluxcore.resource.idset import IdSet
from fluxcore.shell.errors import DEBUG, WARN, Complaint, ShellError, start_error
from fluxcore.shell.layout import Layout, Node
from fluxcore.shell.lines import OutputStream
from fluxcore.shell.options import ShellOptions
from fluxcore.shell.pmi_server import PmiServer, Replies
from fluxcore.shell.pmi_wire import LineReader
from fluxcore.shell.port import ShellPort
from fluxcore.shell.reports import exit_report, fatal_report, log_report
from fluxcore.wire.errors import WireError

#: Bytes of output under way at which reading stops, and at which it begins again.
WINDOW: Final = 1 << 20
_LOW_WATER: Final = WINDOW // 2
#: Bytes of input that a task may leave unread; then its stdin is closed.
STDIN_MAX: Final = 32 << 20

State = Literal["waiting", "running", "ended", "done"]

#: The life of a task.
_NEXT: Final[Mapping[tuple[State, str], State]] = {
    ("waiting", "started"): "running",
    ("waiting", "failed"): "done",
    ("running", "exited"): "ended",
    ("ended", "closed"): "done",
}


@dataclass(slots=True)
class _Task:
    id: int
    streams: dict[str, OutputStream]
    lines: LineReader = field(default_factory=LineReader)
    state: State = "waiting"
    pid: int = 0


class Shell:
    """One job on one node.

    ``preput`` is what the tasks' PMI clients can get without anybody putting it. ``own_files`` are
    the streams that go to another file on each node; the others that go to one are the leader's.
    """

    def __init__(
        self,
        number: int,
        layout: Layout,
        node: Node,
        options: ShellOptions,
        port: ShellPort,
        *,
        preput: Mapping[str, str] | None = None,
        own_files: frozenset[str] = frozenset(),
    ) -> None:
        self._node = node
        self._options = options
        self._port = port
        self._tasks = [self._make_task(taskid) for taskid in node.tasks]
        self._left = len(self._tasks)
        self._unstarted = len(self._tasks)
        self._code = 0
        self._failed = False
        self._exit_reported = False
        self._signals: list[int] = []
        self._doomed = False
        self._aborting = False
        self._unacknowledged = 0
        self._held = False
        self._own_files = own_files
        #: Tasks elsewhere may still write to files of this node.
        self._serving = node.index == 0 and len(layout.nodes) > 1 and self._has_shared_files()
        self._pmi = PmiServer(
            layout.ntasks,
            jobid.f58(number),
            preput or {},
            local=len(self._tasks),
            on_barrier=lambda values: port.report("pmi", {"values": values}),
            on_abort=self._aborted,
        )

    def _make_task(self, taskid: int) -> _Task:
        options = self._options
        streams = {
            name: OutputStream(name, taskid, by_line=how.by_line)
            for name, how in (("stdout", options.stdout), ("stderr", options.stderr))
        }
        return _Task(taskid, streams)

    def _has_shared_files(self) -> bool:
        options = self._options
        outputs = (("stdout", options.stdout), ("stderr", options.stderr))
        return any(how.path is not None and name not in self._own_files for name, how in outputs)

    @property
    def taskids(self) -> Sequence[int]:
        """The ranks of the tasks, in the order of their numbers on the node."""
        return [task.id for task in self._tasks]

    # -- the beginning ---------------------------------------------------------------------

    def begin(self) -> None:
        """The shell exists, and its tasks are about to be started."""
        if self._options.verbose:
            tasks = self._node.tasks
            plural = "s" if len(tasks) > 1 else ""
            message = (
                f"{self._node.index}: task{plural} {tasks.encode(brackets=True)}"
                f" on cores {self._node.cores.encode()}"
            )
            self.complain(Complaint(DEBUG, message))
        if not self._tasks:
            self._port.report("started", {})
            self._finish_if_done()

    def complain(self, complaint: Complaint) -> None:
        """Put a message of the shell's own into the job's output."""
        self._port.report("log", log_report(self._node.index, complaint))

    def fail(self, error: ShellError) -> None:
        """The job cannot go on; the service will see to the tasks that run."""
        if self._failed:
            return
        self._failed, self._code = True, error.code
        for complaint in error.complaints:
            self.complain(complaint)
        self._port.report("fatal", fatal_report(self._node.index, error))

    # -- what happens to tasks -------------------------------------------------------------

    def started(self, index: int, pid: int) -> None:
        """A task runs."""
        self._tasks[index].pid = pid
        self._advance(index, "started")
        for signum in self._signals:
            self._port.kill(index, signum)
        self._one_started()

    def start_failed(self, index: int, errnum: int, program: str) -> None:
        """A task could not be started."""
        self._advance(index, "failed")
        self.fail(start_error(self._tasks[index].id, self._node.host, program, errnum))
        self._one_started()
        self._one_done()

    def _one_started(self) -> None:
        self._unstarted -= 1
        if not self._unstarted:
            # A signal that has come before cannot be too early any more.
            self._signals.clear()
            if not self._failed:
                self._port.report("started", {})

    def exited(self, index: int, status: int) -> None:
        """A task has ended, with its wait status."""
        task = self._tasks[index]
        self._advance(index, "exited")
        if not self._failed:
            self._code = max(self._code, exit_code(status))
        if not self._exit_reported:
            self._exit_reported = True
            self._port.report("exit", exit_report(index, task.id, task.pid, status))
        if not task.streams:
            self._closed(index)
        elif self._doomed:
            self._port.abandon(index)

    def _advance(self, index: int, event: str) -> None:
        task = self._tasks[index]
        try:
            task.state = _NEXT[task.state, event]
        except KeyError:
            text = f"task {task.id} cannot be {event} while it is {task.state}"
            raise RuntimeError(text) from None

    def _closed(self, index: int) -> None:
        self._advance(index, "closed")
        self._one_done()

    def _one_done(self) -> None:
        self._left -= 1
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if not self._left and not self._serving:
            self._port.finished(self._code << 8)

    def others_done(self) -> None:
        """No task elsewhere writes to files of this node any more."""
        if self._serving:
            self._serving = False
            self._finish_if_done()

    def signal(self, signum: int, *, final: bool = False) -> None:
        """Send a signal to all tasks, those included that are just being started.

        With ``final`` nobody waits any more for output that others than the tasks hold open, and
        the second time neither for tasks elsewhere.
        """
        if final and self._doomed:
            self.others_done()
        self._doomed |= final
        if self._unstarted:
            self._signals.append(signum)
        for index, task in enumerate(self._tasks):
            if task.state == "running":
                self._port.kill(index, signum)
            elif task.state == "ended" and final:
                self._port.abandon(index)

    # -- output ----------------------------------------------------------------------------

    def output(self, index: int, stream: str, data: bytes) -> None:
        """A task has written ``data``; nothing is the end of the stream."""
        task = self._tasks[index]
        out = task.streams[stream]
        contexts = out.feed(data) if data else out.end()
        if contexts:
            self._put(index, stream, contexts, len(data))
        if not data:
            del task.streams[stream]
            if task.state == "ended" and not task.streams:
                self._closed(index)

    def _put(self, index: int, stream: str, contexts: list[dict[str, Any]], size: int) -> None:
        how = self._options.stdout if stream == "stdout" else self._options.stderr
        here = self._node.index == 0 or stream in self._own_files
        if how.path is not None and here:
            self._port.write_file(stream, index, _pieces(contexts))
        else:
            self._port.report("output", {"data": contexts, "size": size})
        self._count(size)

    def save(self, contexts: Sequence[Mapping[str, Any]]) -> None:
        """Write output of tasks elsewhere to the file that they share."""
        for context in contexts:
            self._port.write_file(str(context.get("stream")), None, _pieces([context]))

    def _count(self, size: int) -> None:
        self._unacknowledged += size
        if not self._held and self._unacknowledged > WINDOW:
            self._held = True
            self._port.hold(True)

    def credit(self, size: int) -> None:
        """So many bytes of output have been written."""
        self._unacknowledged -= size
        if self._held and self._unacknowledged < _LOW_WATER:
            self._held = False
            self._port.hold(False)

    # -- input -----------------------------------------------------------------------------

    def input(self, context: Mapping[str, Any]) -> None:
        """Give the tasks that are meant a data event of guest.input."""
        said = decode_data(context)
        ids = None if said.rank == "all" else IdSet.decode(said.rank)
        for index, task in enumerate(self._tasks):
            if ids is not None and task.id not in ids:
                continue
            if self._port.write(index, said.data, said.eof) > STDIN_MAX:
                message = f"task {task.id}: buffer full, closing stdin"
                self.complain(Complaint(WARN, message))
                self._port.write(index, b"", True)

    # -- PMI -------------------------------------------------------------------------------

    def pmi_data(self, index: int, data: bytes) -> None:
        """A task's PMI client has sent ``data``."""
        task = self._tasks[index]
        try:
            for line in task.lines.feed(data):
                self._answer(self._pmi.line(index, line))
        except WireError:
            if not self._aborting:
                self.fail(ShellError("PMI-1 wire protocol error", component="pmi-simple"))

    def exchanged(self, values: Mapping[str, str]) -> None:
        """All tasks of the job are in the PMI barrier, with what they have put."""
        self._answer(self._pmi.exchanged(values))

    def _answer(self, replies: Replies) -> None:
        for index, reply in replies:
            self._port.answer_pmi(index, reply)

    def _aborted(self, _code: int, message: str) -> None:
        self._aborting = True  # what the others say while they are killed does not matter
        self._port.report("abort", {"message": f"PMI_Abort: {message}"})

    # -- for tests -------------------------------------------------------------------------

    def validate_state(self) -> None:
        """Assert what must hold at any time."""
        assert self._left == sum(task.state != "done" for task in self._tasks)
        assert self._unstarted == sum(task.state == "waiting" for task in self._tasks)
        assert self._unacknowledged >= 0
        assert self._held or self._unacknowledged <= WINDOW


def _pieces(contexts: Sequence[Mapping[str, Any]]) -> list[tuple[str, bytes]]:
    """The data of contexts, each with its task's rank; ends are left out."""
    decoded = [decode_data(context) for context in contexts]
    return [(said.rank, said.data) for said in decoded if said.data]
