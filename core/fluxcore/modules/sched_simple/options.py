"""The arguments of the scheduler module (CONTRACTS E1)."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_INFO, SEVERITIES

#: As many requests as the job manager has.
UNLIMITED: Final = 0
_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Options:
    """How many requests the scheduler takes at a time (0: all), and what it logs."""

    queue_depth: int = _DEPTH
    log_level: int = LOG_INFO

    @property
    def depth_text(self) -> str:
        """The depth as it is given."""
        return str(self.queue_depth) if self.queue_depth else "unlimited"


def parse_options(args: Sequence[str]) -> Options:
    """The options that ``args`` give.

    :raises OSError: EINVAL and which is wrong
    """
    depth, level = _DEPTH, LOG_INFO
    for arg in args:
        name, _, value = arg.partition("=")
        if name == "queue-depth":
            depth = _depth(
                value,
                f"queue-depth={value!r} is invalid: expected a positive integer or 'unlimited'",
            )
        elif arg == "mode=unlimited":
            depth = UNLIMITED
        elif arg.startswith("mode=limited="):
            value = arg.removeprefix("mode=limited=")
            depth = _count(value, f"mode=limited= requires a positive integer, got {value!r}")
        elif name == "log-level":
            level = _level(value.lower())
        elif name == "pool-class":
            # flux-core loads a class of its own bindings here.
            raise rpc_error(errno.EINVAL, f"pool-class={value!r}: could not load pool class")
        else:
            text = f"unknown argument {arg!r}: built-in options are queue-depth, log-level, "
            raise rpc_error(errno.EINVAL, text + "pool-class")
    return Options(depth, level)


def _depth(value: str, text: str) -> int:
    return UNLIMITED if value == "unlimited" else _count(value, text)


def _count(value: str, text: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) < 1:
        raise rpc_error(errno.EINVAL, text)
    return int(value)


def _level(name: str) -> int:
    if name not in SEVERITIES:
        text = f"log-level={name!r} is invalid: expected one of {', '.join(SEVERITIES)}"
        raise rpc_error(errno.EINVAL, text)
    return SEVERITIES.index(name)
