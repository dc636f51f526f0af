"""The overlay's settings, as the tbon.* attributes give them (CONTRACTS B9)."""

import errno
from dataclasses import dataclass
from typing import Final, Protocol

from fluxcore.handle.errors import rpc_error
from fluxcore.job.fsd import parse_fsd

_TORPID_MIN: Final = "5s"
_TORPID_MAX: Final = "30s"


class AttributeTable(Protocol):
    """Where the settings come from."""

    def setdefault(self, name: str, value: str | int) -> str:
        """The value of ``name``, which becomes ``value`` if it was not set."""


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """Checked settings. Times are in seconds; ``torpid_max`` 0 means that nobody is torpid."""

    torpid_min: float
    torpid_max: float
    child_rcvhwm: int
    io_threads: int

    @classmethod
    def read(cls, attrs: AttributeTable) -> "OverlaySettings":
        """The settings in ``attrs``, which then hold the defaults too.

        :raises OSError: EINVAL, saying what is wrong
        """
        torpid_min = _duration(attrs, "tbon.torpid_min", _TORPID_MIN)
        torpid_max = _duration(attrs, "tbon.torpid_max", _TORPID_MAX)
        if torpid_min == 0:
            raise rpc_error(errno.EINVAL, "tbon.torpid_min must be nonzero")
        if torpid_max and torpid_min >= torpid_max:
            raise rpc_error(errno.EINVAL, "tbon.torpid_min must be less than torpid_max")
        child_rcvhwm = _integer(attrs, "tbon.child_rcvhwm", 0)
        if child_rcvhwm < 0 or child_rcvhwm == 1:
            text = "tbon.child_rcvhwm must be 0 (unlimited) or >= 2"
            raise rpc_error(errno.EINVAL, text)
        io_threads = _integer(attrs, "tbon.zmq_io_threads", 1)
        if io_threads < 1:
            raise rpc_error(errno.EINVAL, "tbon.zmq_io_threads must be >= 1")
        return cls(torpid_min, torpid_max, child_rcvhwm, io_threads)


def _duration(attrs: AttributeTable, name: str, default: str) -> float:
    try:
        return parse_fsd(attrs.setdefault(name, default))
    except ValueError:
        raise rpc_error(errno.EINVAL, f"error parsing {name} attribute") from None


def _integer(attrs: AttributeTable, name: str, default: int) -> int:
    try:
        return int(attrs.setdefault(name, default))
    except ValueError:
        raise rpc_error(errno.EINVAL, f"{name} value must be an integer") from None
