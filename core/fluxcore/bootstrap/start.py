"""``flux start -s N``: an instance of N brokers on this machine, forked from one warm process.

Everything a broker needs is imported before the first fork, and no thread, loop or ZeroMQ context
exists yet; so a broker starts in milliseconds, and what it does not change it shares with the
others. This process stays as their PMI server and as the one who waits for them.
"""

import gc
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from fluxcore.bootstrap.boot import HOSTS_KEY
from fluxcore.bootstrap.run import Lifeline
from fluxcore.broker import rc
from fluxcore.broker.options import BrokerOptions
from fluxcore.job.waitstatus import exit_code
from fluxcore.resource.hostlist import Hostlist
from fluxcore.shell.pmi_server import PmiServer
from fluxcore.shell.pmi_wire import LineReader
from fluxcore.wire.errors import WireError

#: Signals that are passed on to the leader. The brokers have process groups of their own, so that
#: one sent to ours (by a terminal, or by timeout(1)) reaches the leader once, and the others not.
_FORWARDED: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

#: Runs a broker in this process; its exit code.
RunBroker = Callable[[BrokerOptions, Lifeline | None], int]


@dataclass(slots=True)
class StartOptions:
    """What ``flux start`` is told beside the brokers' own options."""

    size: int
    broker: BrokerOptions
    hosts: Sequence[str] | None = None
    rundir: str | None = None
    rundir_cleanup: bool = False
    #: Seconds that the others have to end in once the first (mode any) or the leader has.
    exit_timeout: float = 20.0
    exit_mode: str = "any"


@dataclass(slots=True)
class _Rank:
    pid: int
    pmi: socket.socket
    lines: LineReader = field(default_factory=LineReader)
    status: int | None = None


def start_instance(options: StartOptions, run_broker: RunBroker) -> int:
    """Start the instance and wait for it.

    The exit code is the highest of the brokers', or in the exit mode "leader" that of rank 0.
    """
    _import_modules()
    made = options.rundir is None or not os.path.isdir(options.rundir)
    rundir = _make_rundir(options.rundir)
    try:
        return _Instance(options, rundir, run_broker).run()
    finally:
        if (made and options.rundir is None) or options.rundir_cleanup:
            shutil.rmtree(rundir, ignore_errors=True)


def _import_modules() -> None:
    """Import what rc1 will load, so that the brokers share it."""
    for step in rc.RC1:
        name = f"fluxcore.modules.{step.module.replace('-', '_')}"
        if find_spec(name) is not None:
            import_module(name)


def _make_rundir(path: str | None) -> str:
    if path is None:
        return tempfile.mkdtemp(prefix="flux-")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


class _Instance:
    """The brokers of one instance and what they are served."""

    def __init__(
        self,
        options: StartOptions,
        rundir: str,
        run_broker: RunBroker,
    ) -> None:
        self._options = options
        self._rundir = rundir
        self._run_broker = run_broker
        self._selector = selectors.DefaultSelector()
        self._ranks: list[_Rank] = []
        self._deadline: float | None = None
        hosts = list(options.hosts or [socket.gethostname()] * options.size)
        self._hosts = hosts
        preput = {
            "flux.taskmap": f"[[0,1,{options.size},1]]",
            "PMI_process_mapping": f"(vector,(0,1,{options.size}))",
        }
        encoded = Hostlist(hosts).encode()
        if len(encoded) <= 1024:
            preput[HOSTS_KEY] = encoded
        self._pmi = PmiServer(options.size, "flux-start", preput)

    def run(self) -> int:
        """Fork the brokers, serve them, wait for them."""
        wake, _wakes = self._catch_signals()
        lifeline, held = os.pipe()
        # A broker that collects garbage would write to, and so copy, what it shares.
        gc.collect()
        gc.freeze()
        try:
            for rank in range(self._options.size):
                self._fork(rank, lifeline, held)
            os.close(lifeline)
            self._selector.register(wake, selectors.EVENT_READ)
            while any(rank.status is None for rank in self._ranks):
                self._wait(wake)
        finally:
            os.close(held)
        codes = [exit_code(rank.status or 0) for rank in self._ranks]
        return codes[0] if self._options.exit_mode == "leader" else max(codes)

    def _catch_signals(self) -> tuple[socket.socket, socket.socket]:
        """Let signals wake the selector."""
        wake, wakes = socket.socketpair()
        wake.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        for signum in (*_FORWARDED, signal.SIGCHLD):
            signal.signal(signum, lambda _signum, _frame: None)
        self._wakes = wakes
        return wake, wakes

    def _fork(self, rank: int, lifeline: int, held: int) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            theirs.close()
            self._ranks.append(_Rank(pid, ours))
            ours.setblocking(False)
            self._selector.register(ours, selectors.EVENT_READ, rank)
            return
        code = 1
        try:
            os.setpgid(0, 0)
            os.close(held)
            ours.close()
            self._forget_parent()
            code = self._be_broker(rank, theirs.detach(), lifeline)
        except BaseException:  # noqa: BLE001 - this process ends here, and says why
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _forget_parent(self) -> None:
        """In a new broker: drop what belongs to the starting process."""
        signal.set_wakeup_fd(-1)
        for signum in (*_FORWARDED, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        for other in self._ranks:
            other.pmi.close()
        self._selector.close()

    def _be_broker(self, rank: int, pmi_fd: int, lifeline: int) -> int:
        os.environ.update(PMI_FD=str(pmi_fd), PMI_RANK=str(rank), PMI_SIZE=str(len(self._hosts)))
        options = self._options.broker
        setattrs = [*options.setattrs, ("rundir", self._rundir), ("hostname", self._hosts[rank])]
        if rank == 0:
            setattrs.append(("broker.rc2_pgrp", "1"))
        else:
            with open(os.devnull) as devnull:
                os.dup2(devnull.fileno(), 0)
        mine = replace(options, setattrs=setattrs, command=options.command if rank == 0 else ())
        return self._run_broker(mine, Lifeline(lifeline, self._rundir))

    # -- serving and waiting ---------------------------------------------------------------

    def _wait(self, wake: socket.socket) -> None:
        left = None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)
        ready = self._selector.select(left)
        if not ready and self._deadline is not None:
            self._kill_all()
            self._deadline = None
        for key, _events in ready:
            if key.fileobj is wake:
                self._signals(wake.recv(4096))
            else:
                self._serve(key.data)

    def _signals(self, numbers: bytes) -> None:
        for signum in dict.fromkeys(numbers):  # one that comes twice at once is one
            if signum in _FORWARDED:
                leader = self._ranks[0]
                if leader.status is None:
                    os.kill(leader.pid, signum)
        self._reap()

    def _reap(self) -> None:
        for rank, broker in enumerate(self._ranks):
            if broker.status is not None:
                continue
            pid, status = os.waitpid(broker.pid, os.WNOHANG)
            if pid:
                broker.status = status
                self._ended(rank, status)

    def _ended(self, rank: int, status: int) -> None:
        who, code = f"{rank} (pid {self._ranks[rank].pid})", exit_code(status)
        if os.WIFSIGNALED(status):
            _say(f"{who} {signal.strsignal(os.WTERMSIG(status))}")
        elif code:
            _say(f"{who} exited with rc={code}")
        if self._deadline is None and (rank == 0 or self._options.exit_mode == "any"):
            self._deadline = time.monotonic() + self._options.exit_timeout

    def _kill_all(self) -> None:
        for rank, broker in enumerate(self._ranks):
            if broker.status is None:
                _say(f"Exit timeout: killed rank {rank}")
                os.kill(broker.pid, signal.SIGKILL)

    def _serve(self, rank: int) -> None:
        """Answer what a broker's PMI client says."""
        broker = self._ranks[rank]
        try:
            data = broker.pmi.recv(65536)
            replies = [
                reply for line in broker.lines.feed(data) for reply in self._pmi.line(rank, line)
            ]
        except (WireError, ConnectionError) as exc:
            _say(f"PMI client of rank {rank}: {exc}")
            data, replies = b"", []
        if not data:
            self._selector.unregister(broker.pmi)
            broker.pmi.close()
        for client, line in replies:
            self._ranks[client].pmi.sendall(line)


def _say(text: str) -> None:
    print(f"flux-start: {text}", file=sys.stderr, flush=True)
