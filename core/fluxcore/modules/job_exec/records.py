"""What a job's shells report, as the guest's eventlogs have it (RFC 24, CONTRACTS D21)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fluxcore.job.output import encode_header, encode_redirect
from fluxcore.job.taskmap import Taskmap
from fluxcore.modules.job_exec.guest import EXEC, INPUT, OUTPUT, GuestLog
from fluxcore.modules.job_exec.limits import OutputLimit, format_size
from fluxcore.resource.idset import IdSet
from fluxcore.shell.errors import FATAL, WARN, Complaint
from fluxcore.shell.options import ShellOptions
from fluxcore.shell.reports import log_report

_INPUT_HEADER: Final = {
    "version": 1,
    "encoding": {"stdin": "UTF-8"},
    "count": {"stdin": 1},
    "options": {},
}


class Records:
    """Writes the records of one job into its :class:`GuestLog`."""

    __slots__ = ("_credits", "_input_bytes", "_limit", "_options", "_redirected", "log", "taskmap")

    def __init__(self, options: ShellOptions) -> None:
        self.log = GuestLog()
        self.taskmap = Taskmap()
        self._options = options
        self._limit = OutputLimit(options.output_limit, options.output_limit_text)
        self._redirected: Mapping[str, str] = {}
        self._input_bytes = 0
        self._credits: dict[int, int] = {}

    # -- the job ---------------------------------------------------------------------------

    def event(self, now: float, name: str, context: Mapping[str, Any] | None = None) -> None:
        """An event of the job's execution."""
        self.log.append(now, EXEC, name, context)

    def layout(
        self, now: float, what: Mapping[str, Any], service: str, leader: int, size: int
    ) -> None:
        """The leader's shell exists: where tasks run, and which streams go to files."""
        self.taskmap = Taskmap.from_json(what["taskmap"])
        self._redirected = what["files"]
        append, ntasks = self.log.append, self.taskmap.ntasks
        context = {"service": service, "leader-rank": leader, "size": size}
        append(now, EXEC, "shell.init", context)
        append(now, OUTPUT, "header", encode_header(ntasks))
        if self._redirected:
            everybody = IdSet.span(0, ntasks - 1).encode(brackets=True)
            for stream, path in self._redirected.items():
                append(now, OUTPUT, "redirect", encode_redirect(stream, everybody, path))
        append(now, INPUT, "header", _INPUT_HEADER)
        source = self._options.input_path
        if source is not None:
            append(now, INPUT, "redirect", encode_redirect("stdin", "all", source))

    def tasks_started(self, now: float) -> None:
        """All tasks run."""
        self.event(now, "shell.start", {"taskmap": {"version": 1, "map": self.taskmap.to_json()}})

    # -- the shells' own messages ----------------------------------------------------------

    def message(self, now: float, context: Mapping[str, Any]) -> None:
        """A message of a shell."""
        self.log.append(now, OUTPUT, "log", context)

    def complain(self, now: float, level: int, text: str, component: str | None = None) -> None:
        """A message of the leader's shell."""
        self.message(now, log_report(0, Complaint(level, text, component)))

    def fatal(self, now: float, what: Mapping[str, Any]) -> None:
        """What a shell gives up for."""
        component = what.get("component")
        complaint = Complaint(FATAL, what["message"], component)
        self.message(now, log_report(what["rank"], complaint))

    # -- output and input ------------------------------------------------------------------

    def output(self, now: float, rank: int, what: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Output of tasks on ``rank``; what of it is for the leader's files is returned."""
        for_files = []
        for context in what["data"]:
            if context["stream"] in self._redirected:
                for_files.append(context)
                continue
            said = self._limit.count(context)
            if said is None:
                self.log.append(now, OUTPUT, "data", context)
            elif said:
                self.complain(now, WARN, said, "output.kvs")
        self._credits[rank] = self._credits.get(rank, 0) + what["size"]
        return for_files

    def take_credits(self) -> dict[int, int]:
        """The bytes of output from each rank since this was last asked."""
        taken, self._credits = self._credits, {}
        return taken

    def input(self, now: float, context: Mapping[str, Any], size: int) -> str | None:
        """Input for the tasks: why it must not be, or None."""
        self._input_bytes += size
        limit = self._options.input_limit
        if self._input_bytes > limit:
            return (
                f"stdin exceeds {format_size(limit)} limit. Try file input (flux submit"
                " --input=FILE) or redirect input to your command to avoid the KVS for large"
                " amounts of input"
            )
        self.log.append(now, INPUT, "data", context)
        return None

    # -- the end ---------------------------------------------------------------------------

    def ended(self, now: float, status: int) -> None:
        """All shells have finished; ``status`` is the job's."""
        for text in self._limit.summary():
            self.complain(now, WARN, text, "output.kvs")
        self.event(now, "complete", {"status": status})


def merged(values: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What the PMI clients of all shells have put, in one."""
    return {key: value for put in values for key, value in put.items()}
