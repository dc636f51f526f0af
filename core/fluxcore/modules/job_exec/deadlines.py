"""When a job's time is over, and the signal that it wants before that (RFC 14, CONTRACTS D20)."""

import signal

from fluxcore.modules.job_exec.port import JobPort
from fluxcore.modules.job_exec.records import Records
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import NOTICE
from fluxcore.shell.options import SignalOptions


class Deadlines:
    """Arms the timers "expiration" and "signal" of one job.

    ``expiration`` is in seconds since 1970, 0 for never. ``early`` is the signal to send before. A
    job that starts late by more than ``delay_max`` percent of its time gets the time back.
    """

    __slots__ = ("_began", "_delay_max", "_early", "_port", "_records", "_starttime", "expiration")

    def __init__(
        self,
        rset: ResourceSet,
        early: SignalOptions | None,
        delay_max: float,
        port: JobPort,
        records: Records,
    ) -> None:
        self.expiration = rset.expiration
        self._starttime = rset.starttime
        self._early = early
        self._delay_max = delay_max
        self._port = port
        self._records = records
        self._began: float | None = None

    def arm(self, now: float) -> None:
        """Count the time from now on, or anew if ``expiration`` has changed."""
        self._port.disarm("expiration")
        self._port.disarm("signal")
        if self._began is None:
            self._began = now
        if self.expiration > 0:
            late = self._late(self._began)
            self._port.arm("expiration", max(self.expiration + late - now, 0.0))
        if self._early is not None:
            self._arm_signal(self._early, now)

    def _arm_signal(self, early: SignalOptions, now: float) -> None:
        if self.expiration > 0:
            self._port.arm("signal", max(self.expiration - early.timeleft - now, 0.0))
        else:
            text = f"job has no expiration, {_signame(early.signum)} will not be sent"
            self._records.complain(now, NOTICE, text, "signal")

    def _late(self, began: float) -> float:
        """The seconds that the job has lost before it began, if they are many of its own."""
        if not 0 < self._starttime < self.expiration:
            return 0.0
        delay, duration = max(began - self._starttime, 0.0), self.expiration - self._starttime
        return delay if 100 * delay / duration > self._delay_max else 0.0

    def announce(self, now: float) -> int:
        """The signal's time has come: say so in the job's output; the signal."""
        early = self._early
        assert early is not None
        name = _signame(early.signum)
        text = f"job will expire in {early.timeleft:.1f}s, sending {name} to job"
        self._records.complain(now, NOTICE, text, "signal")
        return early.signum


def _signame(signum: int) -> str:
    return signal.Signals(signum).name
