"""How a job is brought to its end: fatal exceptions, and the signals that follow (CONTRACTS D20).

The first fatal exception ends the shells: a first signal, the killing one again and again, and
after the last the shells that are left count as unkillable. The job manager tells of every
exception, those included that come from here.
"""

from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.modules.job_exec.port import JobPort
from fluxcore.modules.job_exec.shells import Shells


class Ending:
    """The exceptions of one job. ``failing`` is true once there is a fatal one.

    ``forced_status`` is the wait status that the job ends with, whatever its shells say.
    """

    __slots__ = ("_own", "_policy", "_port", "_shells", "_signalled", "failing", "forced_status")

    def __init__(self, policy: ExecOptions, port: JobPort, shells: Shells) -> None:
        self.failing = False
        self.forced_status: int | None = None
        self._policy = policy
        self._port = port
        self._shells = shells
        #: Fatal exceptions of ours that the job manager will tell us of.
        self._own: list[str] = []
        self._signalled = False

    def raise_exception(self, kind: str, severity: int, note: str) -> None:
        """Have an exception raised; of fatal ones (severity 0) only the first."""
        if severity == 0:
            if self.failing:
                return
            self.failing = True
            self._own.append(kind)
        self._port.answer("exception", {"severity": severity, "type": kind, "note": note})

    def hear(self, kind: str) -> bool:
        """The job manager tells of a fatal exception; True if it is the first one."""
        if kind in self._own:
            self._own.remove(kind)  # it is being acted on
            return False
        if self.failing:
            self.signal(self._policy.term_signal)
            return False
        self.failing = True
        return True

    # -- signals ---------------------------------------------------------------------------

    def begin(self, signum: int) -> None:
        """End the shells, by ``signum`` first."""
        if self._signalled:
            return
        self._signalled = True
        self._port.arm("kill", self._policy.kill_timeout)
        self._port.arm("give-up", self._policy.give_up_after)
        self.signal(signum, final=signum == self._policy.kill_signal)

    def kill(self) -> None:
        """Kill the shells that are left, and again after a while."""
        self.signal(self._policy.kill_signal, final=True)
        self._port.arm("kill", self._policy.kill_timeout)

    def signal(self, signum: int, *, final: bool = False) -> None:
        """Send a signal to the shells that have not finished."""
        what = {"signum": int(signum), "final": final}
        self._port.tell_shells(self._shells.active, "signal", what)

    def give_up(self, job: str) -> None:
        """The shells that are left cannot be killed: their nodes are of no use."""
        self._port.drain(self._shells.active, f"unkillable user processes for job {job}")

    # -- the end ---------------------------------------------------------------------------

    def status(self, status: int) -> int:
        """The wait status of the job, whose shells' is ``status``: no success if it has failed."""
        if not self.failing:
            return status
        if self.forced_status is not None:
            status = self.forced_status
        return status or 1 << 8
