"""heartbeat: the instance's pulse (CONTRACTS H1).

Rank 0 publishes ``heartbeat.pulse`` every period; housekeeping everywhere keeps time with it. A
follower that has not heard it for too long gives its parent up.
"""

import asyncio
import errno
import math
from collections.abc import Mapping
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import Module, on_event
from fluxcore.job.fsd import format_fsd, parse_fsd
from fluxcore.wire.message import Message

_PERIOD: Final = 2.0
_TIMEOUT: Final = 300.0
_WARN_THRESH: Final = 3
#: A timeout that never comes, as stats-get tells it.
_NEVER: Final = -1.0
_KEYS: Final = ("period", "timeout", "warn_thresh")


class Heartbeat(Module):
    """Publishes the pulse on rank 0, watches it elsewhere."""

    name = "heartbeat"
    placement = "loop"

    async def start(self) -> None:
        """Take the options and begin to beat.

        :raises OSError: EINVAL for an option that is unknown or wrong
        """
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._period, self._timeout, self._warn_thresh = _PERIOD, _TIMEOUT, _WARN_THRESH
        self._take_conf(self.conf)
        for arg in self.args:
            self._take_arg(arg)
        self._last = self.flux.loop.time()
        self._tick()

    def _take_conf(self, conf: Mapping[str, Any]) -> None:
        table = conf.get("heartbeat", {})
        if not isinstance(table, dict):
            raise rpc_error(errno.EINVAL, "error reading [heartbeat] config table: no table")
        for key in table:
            if key not in _KEYS:
                text = f"error reading [heartbeat] config table: unknown key {key}"
                raise rpc_error(errno.EINVAL, text)
        period = _setting(table, "period", _PERIOD)
        if period <= 0 or math.isinf(period):
            raise rpc_error(errno.EINVAL, "heartbeat.period must be a positive FSD value")
        timeout = _setting(table, "timeout", _TIMEOUT)
        if timeout == 0 or math.isinf(timeout):
            timeout = _NEVER
        elif timeout < 2 * period:
            text = "heartbeat.timeout must be >= 2*heartbeat.period, infinity, or 0"
            raise rpc_error(errno.EINVAL, text)
        thresh = table.get("warn_thresh", _WARN_THRESH)
        if type(thresh) is not int or thresh <= 0:
            raise rpc_error(errno.EINVAL, "heartbeat.warn_thresh must be positive")
        self._period, self._timeout, self._warn_thresh = period, timeout, thresh

    def _take_arg(self, arg: str) -> None:
        name, _, value = arg.partition("=")
        if name != "period":
            raise rpc_error(errno.EINVAL, f"{arg}: unknown option")
        period = _fsd(value)
        if period is None or period <= 0 or math.isinf(period):
            raise rpc_error(errno.EINVAL, "period: error parsing FSD: Invalid argument")
        self._period = period

    def _tick(self) -> None:
        """Beat, or see whether the leader still does; a lost connection ends it."""
        if not self.flux.connected:
            return
        if self.rank == 0:
            self.flux.rpc("event.publish", {"topic": "heartbeat.pulse", "flags": 0}).then(
                self._published
            )
        else:
            self._check()
        self._timer = self.flux.loop.call_later(self._period, self._tick)

    def _published(self, answer: Message) -> None:
        if answer.errnum:
            self.flux.log(
                LOG_ERR, f"event.publish: {answer.text or errno.errorcode[answer.errnum]}"
            )

    @on_event("heartbeat.pulse")
    def pulse(self, _event: Message) -> None:
        """The pulse has come."""
        self._count += 1
        self._last = self.flux.loop.time()

    def _check(self) -> None:
        silent = self.flux.loop.time() - self._last
        if self._timeout != _NEVER and self._timeout <= silent:
            reason = f"no heartbeat for {format_fsd(silent)}"
            self.flux.notify("overlay.disconnect-parent", {"reason": reason})
        elif silent > self._warn_thresh * self._period:
            self.flux.log(LOG_ERR, f"heartbeat overdue: none for {format_fsd(silent)}")

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed ``[heartbeat]`` table."""
        self._take_conf(conf)

    async def stop(self) -> None:
        """Stop beating."""
        if self._timer is not None:
            self._timer.cancel()

    def stats(self) -> dict[str, Any]:
        """What heartbeat.stats-get answers."""
        return {
            "period": self._period,
            "timeout": self._timeout,
            "count": self._count,
            "warn_thresh": self._warn_thresh,
        }


def _setting(table: Mapping[str, Any], key: str, default: float) -> float:
    if key not in table:
        return default
    value = _fsd(table[key])
    if value is None:
        raise rpc_error(errno.EINVAL, f"error parsing heartbeat.{key} FSD value")
    return value


def _fsd(text: object) -> float | None:
    """The seconds of an FSD text; None if it is none."""
    try:
        return parse_fsd(text) if isinstance(text, str) else None
    except ValueError:
        return None
