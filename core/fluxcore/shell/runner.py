"""Running a job's shell on this node: processes, descriptors and files as the shell says.

The thin part around :class:`~fluxcore.shell.shell.Shell`. What the shell reports is gathered and
sent once a loop turn.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fluxcore.job.jobid import f58plain
from fluxcore.job.jobspec import Jobspec
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell import affinity
from fluxcore.shell.environment import Site, job_environment, task_environment
from fluxcore.shell.errors import ERROR, Complaint, ShellError
from fluxcore.shell.files import OutputFiles, read_hostfile
from fluxcore.shell.layout import Layout, Node, layout
from fluxcore.shell.limits import differing, limited
from fluxcore.shell.mustache import render
from fluxcore.shell.opening import OpenFiles, Opening, close_inputs, needs_files, open_files
from fluxcore.shell.options import ShellOptions, parse
from fluxcore.shell.output_file import Pieces
from fluxcore.shell.place import Place, prepare
from fluxcore.shell.program import Program
from fluxcore.shell.reports import fatal_report, log_report
from fluxcore.shell.shell import Shell
from fluxcore.shell.spawn import Spawner
from fluxcore.shell.sweep import Sweeper
from fluxcore.shell.task import TaskIO

#: Seconds after a task's start until its output is read as it comes. Most short tasks have ended
#: by then, and what they have written is read at their end.
_WATCH_DELAY: Final = 0.005

#: What is reported: kinds and contents, in order.
Reports = list[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Host:
    """What is the same for all shells of a broker. ``preput`` is for PMI clients."""

    loop: asyncio.AbstractEventLoop
    spawner: Spawner
    sweeper: Sweeper
    rank: int
    rundir: str
    uri: str
    jobid_path: str
    hostname: str
    cores: Sequence[affinity.Cpus]
    preput: Mapping[str, str]


class ShellRunner:
    """The tasks of one job on this broker.

    ``send`` is given reports until the one of kind "finished", which is the last.
    """

    def __init__(
        self, host: Host, number: int, jobspec: Jobspec, send: Callable[[Reports], None]
    ) -> None:
        self.id = number
        self._host = host
        self._jobspec = jobspec
        self._system: Mapping[str, Any] = jobspec["attributes"]["system"]
        self._send = send
        self._reports: Reports = []
        self._options = ShellOptions()
        self._tasks: list[TaskIO] = []
        self._place: Place | None = None
        self._opening: Opening | None = None
        self._files: OutputFiles | None = None
        self._inputs: list[int] = []
        #: Nobody waits any more for those who read the output.
        self._doomed = False
        #: What has been said before there was a shell to be told.
        self._signals: list[int] = []
        self._alone = False
        self._shell: Shell | None = None
        self._status: int | None = None
        self._watching: asyncio.TimerHandle | None = None

    # -- the beginning ---------------------------------------------------------------------

    def run(self, r: Mapping[str, Any]) -> None:
        """Start the tasks that the resources ``r`` put on this broker.

        :raises Exception: it was asked for the impossible; nothing is left of the job then
        """
        rset = ResourceSet.from_json(r)
        index = list(rset.nodes).index(self._host.rank)
        try:
            self._options = parse(self._system.get("shell", {}).get("options", {}))
            where = layout(self._jobspec, rset, self._options.taskmap, self._hostfile())
            self._start(where, where.nodes[index])
        except ShellError as exc:
            self._refuse(index, exc)
        except Exception:
            self._clean_up()
            raise

    def _hostfile(self) -> str | None:
        scheme, path = self._options.taskmap or ("", "")
        return read_hostfile(path) if scheme == "hostfile" else None

    def _refuse(self, index: int, error: ShellError) -> None:
        """Give up before any task is started."""
        for complaint in error.complaints:
            self.report("log", log_report(index, complaint))
        self.report("fatal", fatal_report(index, error))
        self.finished(error.code << 8)

    def _start(self, where: Layout, node: Node) -> None:
        place = self._place = prepare(self.id, self._jobspec, where, node, self._host.rundir)
        options, loop = self._options, self._host.loop
        work = partial(open_files, loop, options, node, place, self._written)
        if needs_files(options):
            self._opening = Opening(loop, work, partial(self._opened, where, node, place))
        else:
            self._begin(where, node, place, work())

    def _opened(
        self, where: Layout, node: Node, place: Place, result: OpenFiles | ShellError
    ) -> None:
        self._opening = None
        try:
            if isinstance(result, ShellError):
                raise result
            self._begin(where, node, place, result)
        except ShellError as exc:
            self._refuse(node.index, exc)
        except Exception as exc:
            self._refuse(node.index, ShellError(f"internal error: {exc!r}"))
            raise  # to where faults are logged

    def _begin(self, where: Layout, node: Node, place: Place, files: OpenFiles) -> None:
        self._files, self._inputs = files.outputs, files.inputs
        options = self._options
        limits, said = differing(options.rlimits)
        cpus = affinity.bind(options.cpu_affinity, node.cores, len(node.tasks), self._host.cores)
        argv = limited(self._jobspec["tasks"][0]["command"], limits)
        env = self._environment(place)
        self._open_tasks(len(node.tasks))
        shell = self._shell = Shell(
            self.id,
            where,
            node,
            options,
            self,
            preput=self._preput(where),
            own_files=self._files.own,
        )
        if node.index == 0:
            self.report("layout", self._layout_report(where, self._files, place))
        for complaint in (place.complaint, *said):
            if complaint is not None:
                shell.complain(complaint)
        shell.begin()
        for signum in self._signals:
            shell.signal(signum)
        if self._alone:
            shell.others_done()
        self._spawn_tasks(shell, place, argv, env, cpus)

    def _layout_report(self, where: Layout, files: OutputFiles, place: Place) -> dict[str, Any]:
        return {
            "taskmap": where.taskmap.to_json(),
            "ntasks": where.ntasks,
            "files": files.redirects(place.names),
            "stdin": self._options.input_path is None,
        }

    def _environment(self, place: Place) -> dict[str, str]:
        host = self._host
        site = Site(host.uri, host.jobid_path, host.hostname, f"job-{self.id}")
        given: Mapping[str, str | None] = self._system.get("environment", {})
        return job_environment(given, site, place.names, self._options)

    def _preput(self, where: Layout) -> dict[str, str]:
        preput = dict(self._host.preput)
        if self._options.pmi_map:
            preput["PMI_process_mapping"] = where.taskmap.encode_pmi()
            preput["flux.taskmap"] = where.taskmap.encode()
        return preput

    def _open_tasks(self, count: int) -> None:
        for index in range(count):
            stdin = self._inputs.pop() if self._inputs else None
            try:
                task = TaskIO(self._host.loop, index, self, stdin=stdin, pmi=self._options.pmi)
            except OSError as exc:
                raise ShellError(f"shell_task_create index={index}: {exc.strerror}") from None
            self._tasks.append(task)

    def _spawn_tasks(
        self,
        shell: Shell,
        place: Place,
        argv: Sequence[str],
        env: Mapping[str, str],
        cpus: Sequence[affinity.Cpus | None],
    ) -> None:
        options, size = self._options, place.names.layout.ntasks
        for task, taskid in zip(self._tasks, shell.taskids, strict=True):
            index = task.index
            own = task_environment(taskid, index, size, options, place.names)
            names = place.names.of_task(taskid, index)
            program = Program(
                [render(word, names) for word in argv],
                {**env, **own},
                place.cwd,
                task.fds,
                None if options.own_group else self.id,
                cpus[index],
            )
            self._host.spawner.start(program, partial(self._spawned, shell, task), task.exited)

    def _spawned(self, shell: Shell, task: TaskIO, result: int | OSError) -> None:
        if isinstance(result, OSError):
            task.close()
            program: str = self._jobspec["tasks"][0]["command"][0]
            shell.start_failed(task.index, result.errno or 0, program)
            return
        task.started(result)
        shell.started(task.index, result)
        if self._watching is None:
            self._watching = self._host.loop.call_later(_WATCH_DELAY, self._watch)

    def _watch(self) -> None:
        self._watching = None
        for task in self._tasks:
            if task.pid and not task.ended:
                task.watch()

    # -- what tasks do ---------------------------------------------------------------------

    def output(self, index: int, stream: str, data: bytes) -> None:
        """A task has written."""
        assert self._shell is not None
        self._shell.output(index, stream, data)

    def pmi_data(self, index: int, data: bytes) -> None:
        """A task's PMI client has sent something."""
        if data and self._shell is not None:
            self._shell.pmi_data(index, data)

    def exited(self, index: int, status: int) -> None:
        """A task has ended."""
        assert self._shell is not None
        self._shell.exited(index, status)

    # -- what the execution service says ---------------------------------------------------

    def signal(self, signum: int, *, final: bool = False) -> None:
        """Send a signal to the tasks; see :meth:`Shell.signal`."""
        self._doomed |= final
        if self._shell is not None:
            self._shell.signal(signum, final=final)
            self._end_if_done()
        elif self._opening is not None and final:
            self._opening.abandon()
            self._opening = None
            self.finished(signum)
        else:
            self._signals.append(signum)

    def input(self, context: Mapping[str, Any]) -> None:
        """Give the tasks input."""
        if self._shell is not None:
            self._shell.input(context)

    def save(self, contexts: Sequence[Mapping[str, Any]]) -> None:
        """Write output of tasks elsewhere to files here."""
        if self._shell is not None:
            self._shell.save(contexts)

    def others_done(self) -> None:
        """The shells on all other nodes have finished."""
        self._alone = True
        if self._shell is not None:
            self._shell.others_done()

    def exchanged(self, values: Mapping[str, str]) -> None:
        """The PMI barrier is complete."""
        if self._shell is not None:
            self._shell.exchanged(values)

    def credit(self, size: int) -> None:
        """So much output has been written."""
        if self._shell is not None:
            self._shell.credit(size)

    # -- what the shell says ---------------------------------------------------------------

    def report(self, kind: str, what: Mapping[str, Any]) -> None:
        """Tell the service, at the end of this loop turn."""
        if not self._reports:
            self._host.loop.call_soon(self._flush)
        self._reports.append((kind, what))

    def _flush(self) -> None:
        reports, self._reports = self._reports, []
        if reports:
            self._send(reports)

    def write_file(self, stream: str, index: int | None, pieces: Pieces) -> None:
        """Write output to its file."""
        assert self._files is not None
        self._files.write(stream, index, pieces)

    def _written(self, size: int, error: OSError | None) -> None:
        if self._shell is not None:
            if error is not None:
                self._shell.complain(Complaint(ERROR, f"write: {error.strerror}", "output.task"))
            self._shell.credit(size)
        self._end_if_done()

    def kill(self, index: int, signum: int) -> None:
        """Send a signal to a task."""
        self._tasks[index].kill(signum, group=self._options.own_group)

    def write(self, index: int, data: bytes, eof: bool) -> int:
        """Give a task input."""
        task = self._tasks[index]
        task.write(data, eof=eof)
        return task.unwritten

    def answer_pmi(self, index: int, data: bytes) -> None:
        """Answer a task's PMI client."""
        self._tasks[index].answer_pmi(data)

    def hold(self, held: bool) -> None:
        """Stop reading output, or go on."""
        for task in self._tasks:
            task.hold(held)

    def abandon(self, index: int) -> None:
        """Wait no more for the end of a task's output."""
        self._tasks[index].drop_output()

    # -- the end ---------------------------------------------------------------------------

    def finished(self, status: int) -> None:
        """All tasks have ended; their files may not be written yet."""
        self._status = status
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._status is not None and self._doomed and self._files is not None:
            self._files.give_up()  # which may end it
        if self._status is None or (self._files is not None and not self._files.idle):
            return
        status, self._status = self._status, None
        self._clean_up()
        self.report("finished", {"status": status})

    def _clean_up(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        for task in self._tasks:
            task.close()
            task.reap(self._host.spawner.reap)
        close_inputs(self._inputs)
        if self._files is not None:
            self._files.close()
        if self._place is not None:
            self._host.sweeper.remove(self._place.tmpdir)


def service_name(userid: int, number: int) -> str:
    """The service that a job's shell offers: for its stdin."""
    return f"{userid}-shell-{f58plain(number)}"
