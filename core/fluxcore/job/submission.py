"""What goes with a jobspec when it is submitted: urgency and flags (CONTRACTS D2)."""

import errno
from collections.abc import Iterable, Mapping
from typing import Final

URGENCY_MIN: Final = 0
URGENCY_DEFAULT: Final = 16
URGENCY_MAX: Final = 31

PRIORITY_MAX: Final = 2**32 - 1

#: The jobspec is signed already.
FLAG_PRE_SIGNED: Final = 1
FLAG_DEBUG: Final = 2
#: The job will be waited for with job-manager.wait.
FLAG_WAITABLE: Final = 4
#: The jobspec is not to be checked.
FLAG_NOVALIDATE: Final = 8

#: The flags that a user may give, by name.
FLAGS: Final[Mapping[str, int]] = {
    "debug": FLAG_DEBUG,
    "waitable": FLAG_WAITABLE,
    "novalidate": FLAG_NOVALIDATE,
}

_URGENCIES: Final = {
    "hold": URGENCY_MIN,
    "default": URGENCY_DEFAULT,
    "expedite": URGENCY_MAX,
}


def parse_urgency(text: str) -> int:
    """The urgency that ``text`` is: a number, or "hold", "default" or "expedite".

    Its range is the service's to check.

    :raises ValueError: it is none
    """
    urgency = _URGENCIES.get(text.lower())
    return int(text) if urgency is None else urgency


def parse_flags(texts: Iterable[str]) -> int:
    """The sum of the flags in comma separated lists of names.

    :raises ValueError: a name is unknown
    """
    flags = 0
    for text in texts:
        for name in text.split(","):
            if name not in FLAGS:
                raise ValueError(f"--flags: Unknown flag {name}")
            flags |= FLAGS[name]
    return flags


def check(urgency: int, flags: int, *, is_owner: bool) -> None:
    """Check what a job-ingest.submit asks for, with ``is_owner`` by its credentials.

    :raises OSError: EPROTO, EINVAL or EPERM and a text: it may not ask for that
    """
    if flags & ~(FLAG_DEBUG | FLAG_WAITABLE | FLAG_NOVALIDATE):
        raise OSError(errno.EPROTO, "invalid job flags")
    if flags & FLAG_NOVALIDATE and not is_owner:
        text = "only the instance owner can submit with FLUX_JOB_NOVALIDATE"
        raise PermissionError(errno.EPERM, text)
    if not URGENCY_MIN <= urgency <= URGENCY_MAX:
        raise OSError(errno.EINVAL, f"urgency range is [{URGENCY_MIN}:{URGENCY_MAX}]")
    if urgency > URGENCY_DEFAULT and not is_owner:
        text = f"only the instance owner can submit with urgency >{URGENCY_DEFAULT}"
        raise OSError(errno.EINVAL, text)
    if flags & FLAG_WAITABLE and not is_owner:
        text = "only the instance owner can submit with FLUX_JOB_WAITABLE"
        raise OSError(errno.EINVAL, text)
