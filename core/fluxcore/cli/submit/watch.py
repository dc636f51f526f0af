"""Waiting for the jobs of ``flux submit``, and showing their output (CONTRACTS D16)."""

import errno
import os
import sys
from collections.abc import Iterator
from typing import Any

from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.attach_text import log_text
from fluxcore.cli.job.attachment import EXEC_LOG, JOB_LOG, OUTPUT_LOG
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Parsed
from fluxcore.handle.blocking import Flux, Pending
from fluxcore.job.eventlog import Event, decode
from fluxcore.job.output import Data, Header, Log, Redirect
from fluxcore.job.output import decode as decode_output
from fluxcore.job.waitstatus import shell_exit
from fluxcore.wire.constants import STREAMING
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str


def watch_jobs(flux: Flux, parsed: Parsed, jobids: list[int]) -> int:
    """Wait until each job has had the event that is waited for; the largest exit code.

    :raises CommandError: a log cannot be read
    """
    watcher = _Watcher(flux, parsed)
    for jobid in jobids:
        watcher.add(jobid)
    while watcher.watching:
        flux.process()
    return watcher.exit_code


class _Watcher:
    """Follows jobs; each log is watched under the job's id and its path."""

    def __init__(self, flux: Flux, parsed: Parsed) -> None:
        self._flux = flux
        self._show_output = "watch" in parsed
        self._wait = "clean" if "wait" in parsed else parsed.text("wait-event") or "clean"
        self._verbose = parsed.count("verbose")
        self._label = "label-io" in parsed
        self._start: float | None = None
        self._logs: dict[tuple[int, str], Pending] = {}
        self._headers: dict[int, Header] = {}
        self._begun: set[int] = set()
        self.exit_code = 0

    @property
    def watching(self) -> bool:
        """True while there is more to come."""
        return bool(self._logs)

    def add(self, jobid: int) -> None:
        """Begin to follow a job."""
        self._watch(jobid, JOB_LOG)

    def _watch(self, jobid: int, log: str) -> None:
        payload = {"id": jobid, "path": log, "flags": 0}
        pending = self._flux.start("job-info.eventlog-watch", payload, flags=STREAMING)
        self._logs[jobid, log] = pending
        pending.then(lambda msg: self._receive(jobid, log, msg))

    def _stop(self, jobid: int, log: str) -> None:
        pending = self._logs.pop((jobid, log), None)
        if pending is not None:
            pending.cancel("job-info.eventlog-watch-cancel")

    def _receive(self, jobid: int, log: str, msg: Message) -> None:
        if (jobid, log) not in self._logs:
            return
        if msg.errnum:
            del self._logs[jobid, log]
            if msg.errnum != errno.ENODATA:
                text = msg.text or os.strerror(msg.errnum)
                raise CommandError(f"{id_text(jobid)}: {log}: {text}")
            return
        event = decode(need_str(msg.json, "event"))
        if log == JOB_LOG:
            self._job_event(jobid, event)
        elif log == EXEC_LOG:
            self._exec_event(jobid, event)
        else:
            for stream, data in self._output(jobid, event):
                _write(stream, data)

    # -- events ----------------------------------------------------------------------------

    def _job_event(self, jobid: int, event: Event) -> None:
        self._start = min(self._start or event.timestamp, event.timestamp)
        self._note(jobid, event)
        context = event.context or {}
        if event.name == "exception":
            self._exception(jobid, context)
        elif event.name == "start":
            self._begun.add(jobid)
            if self._show_output or self._wait.startswith("exec."):
                self._watch(jobid, EXEC_LOG)
        elif event.name == "finish":
            self._finished(jobid, event, int(context.get("status", 0)))
        if event.name == self._wait:
            self._stop(jobid, JOB_LOG)

    def _exception(self, jobid: int, context: Any) -> None:
        if context.get("severity") != 0:
            return
        if jobid not in self._begun:
            self.exit_code = max(self.exit_code, 1)
        note = f" {context['note']}" if context.get("note") else ""
        text = f"job.exception: type={context.get('type')} severity=0{note}\n"
        _write("stderr", text.encode())

    def _finished(self, jobid: int, event: Event, status: int) -> None:
        code, _ = shell_exit(status)
        self.exit_code = max(self.exit_code, code)
        if self._verbose:
            self._log(jobid, event, f"{'failed' if status else 'complete'}: status={status}")

    def _exec_event(self, jobid: int, event: Event) -> None:
        self._note(jobid, event, "exec.")
        if self._show_output and event.name == "shell.init":
            self._watch(jobid, OUTPUT_LOG)
            if not self._wait.startswith("exec."):
                self._stop(jobid, EXEC_LOG)
        if self._wait == f"exec.{event.name}":
            self._stop(jobid, EXEC_LOG)
            self._stop(jobid, JOB_LOG)

    def _note(self, jobid: int, event: Event, prefix: str = "") -> None:
        if self._verbose > 1:
            context = event.encode().decode().partition('"context":')[2].removesuffix("}\n")
            self._log(jobid, event, f"{prefix}{event.name} {context}")

    def _log(self, jobid: int, event: Event, text: str) -> None:
        seconds = event.timestamp - (self._start or event.timestamp)
        _write("stderr", f"{id_text(jobid)}: {seconds:4.3f}s: {text}\n".encode())

    # -- output ----------------------------------------------------------------------------

    def _output(self, jobid: int, event: Event) -> Iterator[tuple[str, bytes]]:
        output = decode_output(event, self._headers.get(jobid))
        if isinstance(output, Header):
            self._headers[jobid] = output
        elif isinstance(output, Data):
            stream = "stdout" if output.stream == "stdout" else "stderr"
            yield stream, self._labelled(jobid, output)
        elif isinstance(output, Redirect):
            text = f"{output.rank}: {output.stream} redirected to {output.path}\n"
            yield "stderr", text.encode()
        elif isinstance(output, Log):
            yield "stderr", f"{log_text(output)}\n".encode()

    def _labelled(self, jobid: int, output: Data) -> bytes:
        if not self._label:
            return output.data
        label = f"{id_text(jobid)}: {output.rank}: ".encode()
        return b"".join([label + line for line in output.data.splitlines(keepends=True)])


def _write(stream: str, data: bytes) -> None:
    out = sys.stdout.buffer if stream == "stdout" else sys.stderr.buffer
    out.write(data)
    out.flush()
