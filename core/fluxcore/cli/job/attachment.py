"""What ``flux job attach`` does, without IO.

Theory of operation: three logs tell of a job. The job's own, watched from the start, says when
to watch ``guest.exec.eventlog`` (submit) and how the job ended (finish, exceptions). The exec
log says where the shell takes input (shell.init) and when to watch ``guest.output``, which has
the output. Attaching is over when every log that is watched has ended. What is to be done is
asked of the :class:`~fluxcore.cli.job.attach_effects.Effects`.
"""

import errno
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from fluxcore.cli.command import plain_text
from fluxcore.cli.errors import CommandError
from fluxcore.cli.job import attach_text
from fluxcore.cli.job.attach_effects import Effects, Settings
from fluxcore.cli.job.attach_output import OutputView
from fluxcore.job.eventlog import Event
from fluxcore.job.output import encode_data
from fluxcore.job.taskmap import Taskmap
from fluxcore.job.waitstatus import shell_exit
from fluxcore.resource.idset import IdSet

JOB_LOG: Final = "eventlog"
EXEC_LOG: Final = "guest.exec.eventlog"
OUTPUT_LOG: Final = "guest.output"

#: Seconds within which a second ^C cancels the job, and ^Z leaves it.
INTERRUPT_WINDOW: Final = 2.0
#: Seconds in which nobody presses a key twice.
_SAME_KEY: Final = 0.05

#: Signals that are passed on to the job.
FORWARDED: Final = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


class Attachment:
    """One job, as it is followed.

    ``exit_code`` is what the command is to exit with once it is :attr:`over`.
    """

    def __init__(self, jobid: str, settings: Settings, effects: Effects) -> None:
        self._jobid = jobid
        self._set = settings
        self._do = effects
        self._watched: set[str] = set()
        self._start: float | None = None
        self._code = 1
        self._fatal = False
        self._service = ""
        self._leader = 0
        self._input_ranks = "all" if settings.input_ranks is None else settings.input_ranks.encode()
        self._input_sent = False
        self._output_watched = False
        self._output = OutputView(settings, effects.write)
        self._interrupted = float("-inf")

    def begin(self) -> None:
        """Begin to follow the job."""
        self._watch(JOB_LOG)

    @property
    def over(self) -> bool:
        """True once there is nothing more to come."""
        return not self._watched

    @property
    def start(self) -> float | None:
        """When the job was submitted, once that is known."""
        return self._start

    @property
    def exit_code(self) -> int:
        """The job's exit code; 1 if it was ended by an exception, or is not over."""
        return 1 if self._fatal and self._code == 0 else self._code

    # -- logs ------------------------------------------------------------------------------

    def event(self, log: str, event: Event) -> None:
        """Take an event of a log that is watched."""
        if log not in self._watched:
            return
        if log == JOB_LOG:
            self._job_event(event)
        elif log == EXEC_LOG:
            self._exec_event(event)
        else:
            self._output.event(event, self._since_start(event.timestamp))

    def caught_up(self) -> None:
        """Take notice that what follows of the output is new."""
        self._output.caught_up()

    def end(self, log: str, exc: OSError) -> None:
        """Take the end of a log.

        :raises CommandError: it is not the end that a log should have
        """
        if log not in self._watched:
            return
        if log == OUTPUT_LOG and exc.errno == errno.ENOENT:
            self._say("No job output found")
        elif exc.errno != errno.ENODATA:
            raise self._failure(log, exc)
        if log == OUTPUT_LOG:
            self.caught_up()
        self._watched.discard(log)
        if self.over:
            self._do.read_input(False)

    def _failure(self, log: str, exc: OSError) -> CommandError:
        if log == JOB_LOG and exc.errno == errno.ENOENT:
            return CommandError(f"Failed to attach to {self._jobid}: No such job")
        if log == JOB_LOG and exc.errno == errno.EPERM:
            return CommandError(f"Failed to attach to {self._jobid}: that is not your job")
        return CommandError(f"flux_job_event_watch_get: {exc.strerror}")

    def _watch(self, log: str) -> None:
        self._watched.add(log)
        self._do.watch(log)

    def _watch_output(self) -> None:
        if not self._output_watched:
            self._output_watched = True
            self._watch(OUTPUT_LOG)

    def _say(self, text: str) -> None:
        self._do.write("stderr", f"flux-job: {text}\n".encode())

    def _since_start(self, timestamp: float) -> float:
        return timestamp - (self._start or 0.0)

    # -- the job's own log -----------------------------------------------------------------

    def _job_event(self, event: Event) -> None:
        if self._start is None:
            self._start = event.timestamp
        reaction = _JOB_EVENTS.get(event.name)
        if reaction is not None:
            reaction(self, event)
        if self._set.show_events and event.name != "exception":
            line = attach_text.event_line(event, self._start, "job")
            self._do.write("stderr", line.encode())
        if event.name == self._set.wait_event:
            self._do.unwatch(JOB_LOG)
            self.end(JOB_LOG, OSError(errno.ENODATA, ""))

    def _submitted(self, _event: Event) -> None:
        self._watch(EXEC_LOG)

    def _exception(self, event: Event) -> None:
        line = attach_text.exception_line(event, self._start or 0.0, self._jobid)
        self._do.write("stderr", line.encode())
        if (event.context or {}).get("severity") == 0:
            self._fatal = True
            # What is still sent would be refused.
            self._do.read_input(False)

    def _finished(self, event: Event) -> None:
        status = (event.context or {}).get("status")
        if not isinstance(status, int):
            raise CommandError("error decoding finish context")
        self._code, text = shell_exit(status)
        if text:
            self._say(text)

    # -- the exec log ----------------------------------------------------------------------

    def _exec_event(self, event: Event) -> None:
        reaction = _EXEC_EVENTS.get(event.name)
        if reaction is not None:
            reaction(self, event)
        if self._set.show_exec and event.name != "log":
            line = attach_text.event_line(event, self._start or 0.0, "exec")
            self._do.write("stderr", line.encode())

    def _shell_init(self, event: Event) -> None:
        context = event.context or {}
        service, leader = context.get("service"), context.get("leader-rank")
        if not isinstance(service, str) or not isinstance(leader, int):
            raise CommandError("error decoding shell.init context")
        self._service, self._leader = service, leader
        self._watch_output()
        if not self._set.read_only and self._set.input_ranks is None:
            self._do.read_input(True)

    def _shell_start(self, event: Event) -> None:
        """Close the input of those tasks that are to get none."""
        wanted = self._set.input_ranks
        if wanted is None or self._set.read_only:
            return
        try:
            taskmap = Taskmap.from_json((event.context or {}).get("taskmap"))
        except ValueError:
            self._say("failed to process taskmap in shell.start event")
            return
        tasks = IdSet.span(0, taskmap.ntasks - 1)
        if not wanted <= tasks:
            old, self._input_ranks = self._input_ranks, (wanted & tasks).encode()
            self._say(f"warning: adjusting --stdin-ranks from {old} to {self._input_ranks}")
        others = tasks - wanted
        if others:
            self._send(others.encode(), b"", eof=True)
        self._do.read_input(True)

    def _exec_log(self, event: Event) -> None:
        context = dict(event.context or {})
        head = "" if self._set.quiet else self._exec_log_head(event, context)
        self._do.write("stderr", head.encode() + str(context.get("data", "")).encode())

    def _exec_log_head(self, event: Event, context: dict[str, Any]) -> str:
        return attach_text.exec_log_line(context, self._since_start(event.timestamp))

    def _completed(self, _event: Event) -> None:
        # The shell may have failed before it said where its output is.
        self._watch_output()

    # -- input -----------------------------------------------------------------------------

    def input(self, data: bytes) -> None:
        """Take what was read from our stdin; nothing is its end."""
        if data:
            self._input_sent = True
        else:
            self._do.read_input(False)
        self._send(self._input_ranks, data, eof=not data)

    def _send(self, ranks: str, data: bytes, *, eof: bool) -> None:
        self._do.send_input(self._service, self._leader, encode_data("stdin", ranks, data, eof=eof))

    def input_refused(self, exc: OSError) -> None:
        """Take the failure of input that was sent.

        :raises CommandError: it matters: the job should have had it
        """
        if exc.errno != errno.ENOSYS:
            raise CommandError(f"attach_send_shell: {plain_text(exc)}")
        # The job has ended, or reads from a file; only data that is lost is worth a word.
        if self._input_sent:
            raise CommandError("stdin not accepted by job")

    # -- signals ---------------------------------------------------------------------------

    def interrupt(self, now: float) -> None:
        """Take a ^C at ``now`` (seconds, of any clock); the second one cancels the job.

        One that comes at once is the same: a shell signals us and our process group.
        """
        if now - self._interrupted < _SAME_KEY:
            return
        if now - self._interrupted > INTERRUPT_WINDOW:
            self._interrupted = now
            self._say("one more ctrl-C within 2s to cancel or ctrl-Z to detach")
        else:
            self._do.cancel("interrupted by ctrl-C")

    def suspend(self, now: float) -> bool:
        """Take a ^Z behind a ^C: it detaches. False if it comes too late for that."""
        if now - self._interrupted > INTERRUPT_WINDOW:
            self._say("one more ctrl-Z to suspend")
            return False
        for log in sorted(self._watched):
            self._do.unwatch(log)
        self._say("detaching...")
        return True


_Reaction = Callable[[Attachment, Event], None]

_JOB_EVENTS: Final[Mapping[str, _Reaction]] = {
    "submit": Attachment._submitted,
    "exception": Attachment._exception,
    "finish": Attachment._finished,
}
_EXEC_EVENTS: Final[Mapping[str, _Reaction]] = {
    "shell.init": Attachment._shell_init,
    "shell.start": Attachment._shell_start,
    "log": Attachment._exec_log,
    "complete": Attachment._completed,
}
