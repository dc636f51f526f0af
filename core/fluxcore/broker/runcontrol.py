"""Run control: carries out the state machine (CONTRACTS B14-B16, A19).

Entering a state starts its action; the action posts the event that leads on. Events are posted at
any time and processed one a loop turn, so no action runs inside another.
"""

import asyncio
import errno
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fluxcore.broker import rc
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.deadlines import Deadlines
from fluxcore.broker.quorum import Quorum
from fluxcore.broker.runat import RunAt
from fluxcore.broker.state import State, StateMachine
from fluxcore.handle.aio import Flux, close_with
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO
from fluxcore.job.fsd import format_fsd
from fluxcore.wire import constants as c

_DEADLY: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGALRM)
_GOODBYE_TIMEOUT: Final = 60.0
#: The exit code of a script that was hung up on: 128 and SIGHUP.
_INTERRUPTED: Final = 129

#: What a deadly signal ends in each state: a script, else what the state waits for.
_SCRIPT: Final = {
    State.INIT: "rc1",
    State.RUN: "rc2",
    State.CLEANUP: "cleanup",
    State.FINALIZE: "rc3",
}
_INTERRUPT: Final = {
    State.JOIN: "parent-fail",
    State.CONFIG_SYNC: "sync-fail",
    State.QUORUM: "quorum-fail",
    State.RUN: "shutdown",
}


@dataclass(slots=True)
class Actions:
    """What other parts of the broker do on entering a state."""

    load_builtins: Callable[[], Awaitable[None]]
    unload_builtins: Callable[[], Awaitable[None]]
    sync_conf: Callable[[], Awaitable[None]]
    go_online: Callable[[], None]
    entered: Callable[[State], None]
    stop_joining: Callable[[], None]
    shut_down: Callable[[], None]
    say_goodbye: Callable[[], None]
    shutdown_finished: Callable[[], None]
    exit: Callable[[], None]


class RunControl:
    """The life of one broker."""

    def __init__(
        self, flux: Flux, attrs: Attributes, runat: RunAt, rank: int, size: int, actions: Actions
    ) -> None:
        self._flux = flux
        self._attrs = attrs
        self._runat = runat
        self._rank = rank
        self._actions = actions
        self._machine = StateMachine()
        self._events: deque[tuple[str, int]] = deque()
        self._parent: State | None = State.LOAD_BUILTINS
        self._quorum = Quorum(flux, attrs, size, self.post, lambda: self.state)
        self._deadlines = Deadlines(flux, attrs, rank, self.post, self._abort_script)
        self._script: asyncio.Task[None] | None = None
        self._goodbye_timer: asyncio.TimerHandle | None = None
        self.since = time.monotonic()
        self.exit_code = 0
        self._enter: dict[State, Callable[[], None]] = {
            State.LOAD_BUILTINS: self._load_builtins,
            State.JOIN: self._join,
            State.CONFIG_SYNC: self._config_sync,
            State.INIT: self._init,
            State.QUORUM: self._wait_for_quorum,
            State.RUN: self._run,
            State.CLEANUP: self._cleanup,
            State.SHUTDOWN: self._actions.shut_down,
            State.FINALIZE: self._finalize,
            State.GOODBYE: self._goodbye,
            State.UNLOAD_BUILTINS: self._unload_builtins,
            State.EXIT: self._actions.exit,
        }

    @property
    def state(self) -> State:
        """The current state."""
        return self._machine.state

    # -- events ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the broker's life."""
        self._enter[self.state]()

    def post(self, event: str, *, error: bool = False) -> None:
        """Post an event; it is processed in one of the next loop turns.

        :param error: something has failed, and the exit code is to say so
        """
        self._post(event, 1 if error else 0)

    def _post(self, event: str, code: int) -> None:
        self._events.append((event, code))
        self._flux.loop.call_soon(self._process)

    def _process(self) -> None:
        event, code = self._events.popleft()
        before = self.state
        after = self._machine.post(event)
        if after is None:
            self._flux.log(LOG_DEBUG, f"{event}: ignored in {before.label}")
            return
        self.exit_code = self.exit_code or code
        if after is before:
            return
        now = time.monotonic()
        spent = format_fsd(now - self.since)
        self._flux.log(LOG_INFO, f"{event}: {before.label}->{after.label} {spent}")
        self.since = now
        self._enter[after]()
        self._deadlines.entered(after)
        self._actions.entered(after)

    def _task(self, work: Awaitable[str], failed: str) -> "asyncio.Task[None]":
        """Run ``work`` and post what it returns; ``failed`` if it raises or is interrupted."""
        events: list[str] = []

        async def run() -> None:
            events.append(await work)

        def done(task: "asyncio.Task[None]") -> None:
            if events:
                self.post(events[0])
            else:
                self._failed(failed, _INTERRUPTED if task.cancelled() else 1)

        # Not in run(): one that is interrupted at once never begins.
        task = self._flux.task(run(), self.state.label)
        task.add_done_callback(done)
        close_with(task, work)
        return task

    def _failed(self, event: str, code: int = 1) -> None:
        """Post the event of a failure.

        The exit code tells of it unless an earlier one does, and only if the event is not ignored:
        a parent that goes down just after this broker has followed it into RUN is no failure.
        """
        self._post(event, code)

    # -- on the way up ---------------------------------------------------------------------

    def _load_builtins(self) -> None:
        async def load() -> str:
            try:
                await self._actions.load_builtins()
            except OSError as exc:
                self._flux.log(LOG_ERR, f"error loading builtins: {exc.strerror}")
                raise
            return "builtins-success"

        self._task(load(), "builtins-fail")

    def _join(self) -> None:
        if self._rank == 0:
            self.post("parent-none")
        else:
            self._check_parent()

    def parent_hello(self) -> None:
        """The parent has let us in: follow its state from now on."""
        self._flux.task(self._follow_parent(), "state-machine.monitor")

    async def _follow_parent(self) -> None:
        updates = self._flux.stream(
            "state-machine.monitor",
            {"final": int(State.SHUTDOWN)},
            nodeid=self._rank,
            flags=c.UPSTREAM,
        )
        try:
            async for update in updates:
                self._parent = State(update.json["state"])
                self._check_parent()
        except OSError as exc:
            self._flux.log(LOG_ERR, f"state-machine.monitor: {exc.strerror}")
            self.parent_lost()

    def parent_lost(self) -> None:
        """The parent is gone."""
        self._parent = None
        self._check_parent()

    def _check_parent(self) -> None:
        event = self._machine.for_parent(self._parent)
        if event is None:
            return
        if self._parent is None:
            self._failed(event)
        else:
            # A parent that is on its way down is no failure: who came late goes with it.
            self.post(event)

    def _config_sync(self) -> None:
        if self._rank == 0:
            self.post("sync-none")
            return

        async def sync() -> str:
            await self._actions.sync_conf()
            return "sync-success"

        self._task(sync(), "sync-fail")

    def _init(self) -> None:
        self._actions.go_online()
        self._run_script("rc1", rc.rc1)

    def _run_script(self, name: str, builtin: Callable[[Flux, int, str], Awaitable[int]]) -> None:
        """Run rc1 or rc3: our own, a command, or nothing."""
        if self._attrs.get(f"broker.{name}_path") == rc.BUILTIN:

            async def run() -> str:
                backing = self._attrs.get("content.backing-module") or rc.DEFAULT_BACKING
                return self._script_done(name, await builtin(self._flux, self._rank, backing))

            self._script = self._task(run(), f"{name}-fail")
        elif self._runat.defined(name):
            self._runat.start(name, lambda code: self.post(self._script_done(name, code)))
        else:
            self.post(f"{name}-none")

    def _script_done(self, name: str, code: int) -> str:
        """The event for a script's end; the first code that is not 0 becomes the broker's."""
        if code and name == "rc1" and "broker.recovery-mode" in self._attrs:
            return "rc1-ignorefail"
        self.exit_code = self.exit_code or code
        return f"{name}-fail" if code else f"{name}-success"

    def _wait_for_quorum(self) -> None:
        self._quorum.join()
        if self._rank > 0:
            self._check_parent()
        else:
            self._quorum.watch()

    # -- running ---------------------------------------------------------------------------

    def _run(self) -> None:
        if self._runat.defined("rc2"):
            self._runat.start("rc2", lambda code: self.post(self._script_done("rc2", code)))
        elif self._rank > 0:
            self._check_parent()
        else:
            self.post("rc2-none")

    def request_shutdown(self) -> None:
        """Begin to shut the instance down.

        :raises OSError: EINVAL: not in RUN, or not rank 0
        """
        if self.state is not State.RUN:
            text = f"shutdown cannot be initiated in state {self.state.label}"
            raise rpc_error(errno.EINVAL, text)
        if self._rank > 0:
            raise rpc_error(errno.EINVAL, "shutdown may only be initiated on rank 0")
        if self._runat.running("rc2"):
            self._runat.abort("rc2")
        else:
            self.post("shutdown")

    def panic(self, what: str) -> None:
        """Go down because something the broker cannot do without has failed (CONTRACTS A28)."""
        self.exit_code = 1
        self._flux.log(LOG_CRIT, what)
        if self.state not in (State.INIT, State.RUN) or not self._abort_script():
            self.post("panic")

    def signal(self, signum: int) -> None:
        """A signal has come: a deadly one ends what runs now, another goes to the jobs."""
        self._flux.log(LOG_INFO, f"signal {signum}")
        if self._rank == 0 and signum not in _DEADLY:
            self._flux.task(self._signal_jobs(signum), "job-manager.killall")
            return
        self._deadlines.expedite = True
        self._interrupt(signum)

    async def _signal_jobs(self, signum: int) -> None:
        request = {"dry_run": False, "userid": c.USERID_UNKNOWN, "signum": int(signum)}
        answer = await self._flux.rpc("job-manager.killall", request)
        self._flux.log(LOG_INFO, f"forwarded signal {signum} to {answer.json['count']} jobs")

    def _interrupt(self, signum: int) -> None:
        event = _INTERRUPT.get(self.state)
        if self._abort_script():
            return
        if event is not None:
            self.post(event)
        else:
            self._flux.log(LOG_INFO, f"ignored signal {signum} in {self.state.label}")

    def _abort_script(self) -> bool:
        """End what this state runs, our own or commands; True if there is something."""
        name = _SCRIPT.get(self.state)
        if name is not None and self._runat.running(name):
            self._runat.abort(name)
        elif self._script is not None and not self._script.done():
            self._script.cancel()
        else:
            return False
        return True

    # -- on the way down -------------------------------------------------------------------

    def _cleanup(self) -> None:
        self._actions.stop_joining()
        # Another rc1 than ours pushes what is to be cleaned up itself.
        ours = self._rank == 0 and self._attrs.get("broker.rc1_path") == rc.BUILTIN
        if not ours and not self._runat.defined("cleanup"):
            self.post("cleanup-none")
            return

        async def end_jobs() -> str:
            code = await rc.cleanup(self._flux) if ours else 0
            if not self._runat.defined("cleanup"):
                return self._script_done("cleanup", code)
            done = self._flux.loop.create_future()
            self._runat.start("cleanup", done.set_result)
            return self._script_done("cleanup", await done or code)

        self._script = self._task(end_jobs(), "cleanup-fail")

    def _finalize(self) -> None:
        self._run_script("rc3", rc.rc3)

    def _goodbye(self) -> None:
        self._actions.shutdown_finished()
        self._goodbye_timer = self._flux.loop.call_later(_GOODBYE_TIMEOUT, self._goodbye_late)
        self._actions.say_goodbye()

    def _goodbye_late(self) -> None:
        self._flux.log(LOG_ERR, f"goodbye timeout after {_GOODBYE_TIMEOUT:.1f}s")
        self.post("goodbye")

    def _unload_builtins(self) -> None:
        async def unload() -> str:
            await self._actions.unload_builtins()
            return "builtins-done"

        self._task(unload(), "builtins-unload-fail")

    def close(self) -> None:
        """Stop the timers."""
        self._quorum.close()
        self._deadlines.close()
        if self._goodbye_timer is not None:
            self._goodbye_timer.cancel()


def install_signal_handlers(loop: asyncio.AbstractEventLoop, control: RunControl) -> None:
    """Let signals reach the run control; a closed pipe is an error of the write, not a signal."""
    for signum in (*_DEADLY, signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(signum, control.signal, signum)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if os.isatty(0):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
