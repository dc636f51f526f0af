"""``flux job attach`` (CONTRACTS D14): the shell around an attachment."""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from fluxcore.cli.caught_signals import CaughtSignals
from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, CommandError, UsageError
from fluxcore.cli.job.attach_effects import Settings
from fluxcore.cli.job.attachment import FORWARDED, JOB_LOG, OUTPUT_LOG, Attachment
from fluxcore.cli.job.ids import parse_id
from fluxcore.cli.job.status_line import StatusDisplay
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux, Pending
from fluxcore.job.eventlog import decode
from fluxcore.resource.idset import IdSet
from fluxcore.wire.constants import STREAMING
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str

_STDIN: Final = 0
_CHUNK: Final = 1 << 16
#: Pieces of input that may be on their way at once.
_MAX_INPUT: Final = 16
_DEFAULT_TAIL: Final = 10
#: Flag of job-info.eventlog-watch: an empty response goes between old events and new ones.
_INITIAL_SENTINEL: Final = 2


def attach(parsed: Parsed) -> int:
    """Follow a job until it is over."""
    if len(parsed.args) != 1:
        raise UsageError
    text = parsed.args[0]
    jobid, settings = parse_id(text), _settings(parsed)
    with connect() as flux:
        return attach_job(flux, jobid, text, settings, show_status="show-status" in parsed)


def _settings(parsed: Parsed) -> Settings:
    read_only = "read-only" in parsed
    if read_only and "stdin-ranks" in parsed:
        raise CommandError("Do not use --stdin-ranks with --read-only")
    tail = parsed.text("tail") or str(_DEFAULT_TAIL)
    if "tail" in parsed and not tail.isdigit():
        raise BadOptionError("Option 'tail' requires an integer argument")
    return Settings(
        show_events="show-events" in parsed,
        show_exec="show-exec" in parsed,
        wait_event=parsed.text("wait-event") or "clean",
        label="label-io" in parsed,
        verbose="verbose" in parsed,
        quiet="quiet" in parsed,
        read_only=read_only,
        input_ranks=parse_ranks(parsed.text("stdin-ranks")),
        tail=int(tail) if "tail" in parsed else None,
    )


def parse_ranks(text: str | None) -> IdSet | None:
    """The tasks that get our input; None for all of them.

    :raises CommandError: it is no idset
    """
    if text is None or text == "all":
        return None
    try:
        return IdSet.decode(text)
    except ValueError:
        raise CommandError(f"Invalid value '{text}' for --stdin-ranks") from None


def attach_job(
    flux: Flux, jobid: int, text: str, settings: Settings, *, show_status: bool = False
) -> int:
    """Follow the job ``jobid``, which the user calls ``text``; its exit code.

    :raises CommandError: there is no such job, or it is another user's
    """
    status = StatusDisplay(text, at_once=show_status, allowed=not settings.show_events)
    shell = _Shell(flux, jobid, settings, status)
    core = shell.core = Attachment(text, settings, shell)
    with CaughtSignals(() if settings.read_only else (signal.SIGINT, *FORWARDED)) as signals:
        core.begin()
        while not core.over:
            shell.wait(signals)
    return core.exit_code


class _Shell:
    """Carries out what an attachment asks for, and tells it what comes."""

    core: Attachment

    def __init__(self, flux: Flux, jobid: int, settings: Settings, status: StatusDisplay) -> None:
        self._flux = flux
        self._jobid = jobid
        self._tail = settings.tail is not None
        self._status = status
        self._logs: dict[str, Pending] = {}
        self._reading = False
        self._input_sent = 0

    # -- Effects ---------------------------------------------------------------------------

    def write(self, stream: str, data: bytes) -> None:
        self._status.clear()
        text = sys.stdout if stream == "stdout" else sys.stderr
        out: BinaryIO = text.buffer
        try:
            out.write(data)
            out.flush()
        except BrokenPipeError:  # who reads has had enough; the job goes on, and we follow it
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, out.fileno())
            os.close(null)

    def watch(self, log: str) -> None:
        flags = _INITIAL_SENTINEL if self._tail and log == OUTPUT_LOG else 0
        payload = {"id": self._jobid, "path": log, "flags": flags}
        pending = self._flux.start("job-info.eventlog-watch", payload, flags=STREAMING)
        self._logs[log] = pending
        pending.then(lambda msg: self._log_message(log, msg))

    def unwatch(self, log: str) -> None:
        self._logs[log].cancel("job-info.eventlog-watch-cancel")

    def send_input(self, service: str, rank: int, payload: Mapping[str, Any]) -> None:
        self._input_sent += 1
        self._flux.start(f"{service}.stdin", payload, nodeid=rank).then(self._input_answered)

    def read_input(self, reading: bool) -> None:
        self._reading = reading

    def kill(self, signum: int) -> None:
        payload = {"id": self._jobid, "signum": signum}
        self._flux.start("job-manager.kill", payload).then(lambda msg: self._complain("kill", msg))

    def cancel(self, note: str) -> None:
        payload = {"id": self._jobid, "type": "cancel", "severity": 0, "note": note}
        pending = self._flux.start("job-manager.raise", payload)
        pending.then(lambda msg: self._complain("cancel", msg))

    # -- what comes ------------------------------------------------------------------------

    def wait(self, signals: CaughtSignals) -> None:
        """Wait for the next thing to happen, and take it."""
        reading = self._reading and self._input_sent < _MAX_INPUT
        sources: list[Any] = [self._flux, signals, *([_STDIN] if reading else [])]
        ready, _, _ = select.select(sources, [], [], self._status.seconds)
        if signals in ready:
            for signum in signals.take():
                self._signal(signals, signal.Signals(signum))
        if self._flux in ready:
            self._flux.process()
        # What has come may have ended the reading.
        if _STDIN in ready and self._reading:
            self.core.input(_read_stdin())
        self._status.show(self.core.start)

    def _signal(self, signals: CaughtSignals, signum: signal.Signals) -> None:
        now = time.monotonic()
        if signum == signal.SIGINT:
            self.core.interrupt(now)
            signals.catch(signal.SIGTSTP)
        elif signum == signal.SIGTSTP:
            if not self.core.suspend(now):
                signals.release(signal.SIGTSTP)
        else:
            self.kill(signum)

    def _log_message(self, log: str, msg: Message) -> None:
        if msg.errnum:
            self.core.end(log, OSError(msg.errnum, msg.text or os.strerror(msg.errnum)))
        elif not msg.has_payload:
            self.core.caught_up()
        else:
            event = decode(need_str(msg.json, "event"))
            if log == JOB_LOG:
                self._status.event(event)
            self.core.event(log, event)

    def _input_answered(self, msg: Message) -> None:
        self._input_sent -= 1
        if msg.errnum:
            self.core.input_refused(OSError(msg.errnum, msg.text))

    def _complain(self, what: str, msg: Message) -> None:
        if msg.errnum:
            text = msg.text or os.strerror(msg.errnum)
            self.write("stderr", f"flux-job: {what}: {text}\n".encode())


def _read_stdin() -> bytes:
    try:
        return os.read(_STDIN, _CHUNK)
    except OSError:
        # As good as at its end: closed, or a terminal that is gone.
        return b""


ATTACH: Final = Command(
    "flux-job attach",
    "[OPTIONS] id",
    "Follow a job: its output comes here, and our input goes there",
    attach,
    [
        Option("show-events", "E", doc="show the job's events on stderr"),
        Option("show-exec", "X", doc="show the events of its execution on stderr"),
        Option("show-status", doc="while the job is waiting show for what"),
        Option("wait-event", "w", "NAME", "wait for this event, by default clean"),
        Option("label-io", "l", doc="put the task's rank before its output"),
        Option("verbose", "v", doc="show more"),
        Option("quiet", "q", doc="do not show what flux itself has to say"),
        Option("read-only", "r", doc="do not read stdin or catch signals"),
        Option("unbuffered", "u", doc="send input as it is typed (as is always done)"),
        Option("stdin-ranks", "i", "RANKS", "send input only to these tasks"),
        Option("tail", "", "NUM", "begin with the last NUM (10) lines of output", optional=True),
    ],
)
