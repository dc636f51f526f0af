"""The options of job-exec: its [exec] table and the arguments of ``flux module load``."""

import errno
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.job.fsd import parse_fsd

_BACKOFF_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """How jobs are ended. Times are in seconds; ``max_kill_timeout`` is -1 for unset."""

    kill_timeout: float = 5.0
    term_signal: int = signal.SIGTERM
    kill_signal: int = signal.SIGKILL
    max_kill_count: int = 8
    max_kill_timeout: float = -1.0
    #: A job that starts late by more than this percentage of its time gets the time back.
    max_start_delay_percent: float = 25.0
    #: Let guests use mock execution.
    testexec_guests: bool = False

    @property
    def give_up_after(self) -> float:
        """Seconds after the first signal at which tasks count as unkillable."""
        if self.max_kill_timeout > 0:
            return self.max_kill_timeout
        total, timeout = 5 * self.kill_timeout, self.kill_timeout
        for _ in range(1, self.max_kill_count):
            total += timeout
            timeout = min(2 * timeout, _BACKOFF_MAX)
        return total

    def to_json(self) -> dict[str, Any]:
        """The options as job-exec.stats-get has them."""
        return {
            "method": "bulk-exec",
            "kill-timeout": self.kill_timeout,
            "term-signal": signal.Signals(self.term_signal).name,
            "kill-signal": signal.Signals(self.kill_signal).name,
            "max-kill-count": self.max_kill_count,
            "max-kill-timeout": self.max_kill_timeout,
            "effective-max-kill-timeout": self.give_up_after,
        }


def parse(conf: Mapping[str, Any], args: Sequence[str]) -> ExecOptions:
    """The options that the configuration sets, and ``args`` over them.

    :raises OSError: EINVAL, saying which is wrong
    """
    table = conf.get("exec", {})
    if not isinstance(table, dict):
        raise rpc_error(errno.EINVAL, "Error reading [exec] table: Expected object")
    settings = {**table, **dict(_setting(arg) for arg in args)}
    delay = settings.get("max-start-delay-percent", 25.0)
    if not isinstance(delay, int | float):
        raise rpc_error(errno.EINVAL, "Error reading [exec] table: Expected real")
    testexec = settings.get("testexec", {})
    guests = testexec.get("allow-guests", False) if isinstance(testexec, dict) else False
    return ExecOptions(
        _duration(settings, "kill-timeout", 5.0),
        _signum(settings, "term-signal", signal.SIGTERM),
        _signum(settings, "kill-signal", signal.SIGKILL),
        _kill_count(settings.get("max-kill-count", 8)),
        _duration(settings, "max-kill-timeout", -1.0),
        float(delay),
        bool(guests),
    )


def _setting(arg: str) -> tuple[str, Any]:
    name, _, value = arg.partition("=")
    if name == "max-kill-count" and value.isascii() and value.isdigit():
        return name, int(value)
    return name, value


def _duration(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name)
    if value is None:
        return default
    try:
        seconds = parse_fsd(value) if isinstance(value, str) else 0.0
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise rpc_error(errno.EINVAL, f"invalid {name}: {value}")
    return seconds


def _signum(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    if value is None:
        return default
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() else None
    try:
        return signal.Signals(number) if number is not None else _by_name(text)
    except (ValueError, KeyError):
        raise rpc_error(errno.EINVAL, f"invalid {name}: {value}") from None


def _by_name(text: str) -> int:
    return signal.Signals["SIG" + text.upper().removeprefix("SIG")]


def _kill_count(value: object) -> int:
    if type(value) is not int or value <= 0:
        raise rpc_error(errno.EINVAL, f"invalid max-kill-count={value}")
    return value
