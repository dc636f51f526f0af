"""Resource limits of tasks (CONTRACTS D21, ``shell.options.rlimit``).

A task inherits the broker's limits. Where a job asks for others, prlimit(1) sets them between
fork and exec: the broker cannot change its own meanwhile. Submitters send all their limits along,
and nearly always they are the broker's too.
"""

import resource
import shutil
from collections.abc import Mapping, Sequence

from fluxcore.shell.errors import WARN, Complaint, ShellError
from fluxcore.shell.options import RLIMITS

_INFINITY = resource.RLIM_INFINITY


def differing(wanted: Mapping[str, int]) -> tuple[dict[str, int], list[Complaint]]:
    """The soft limits of ``wanted`` that are not this process's, and what is to be said."""
    changed: dict[str, int] = {}
    said: list[Complaint] = []
    for name, value in wanted.items():
        number = getattr(resource, f"RLIMIT_{RLIMITS[name].upper()}", None)
        if number is None:
            continue  # not a limit of this system
        soft, hard = resource.getrlimit(number)
        if hard != _INFINITY and (value == _INFINITY or value > hard):
            message = f"{name} exceeds current max, raising value to hard limit"
            said.append(Complaint(WARN, message, "rlimit"))
            value = hard
        if value != soft:
            changed[RLIMITS[name]] = value
    return changed, said


def limited(argv: Sequence[str], limits: Mapping[str, int]) -> list[str]:
    """The command that runs ``argv`` under soft ``limits``.

    :raises ShellError: this system has no prlimit
    """
    if not limits:
        return list(argv)
    program = shutil.which("prlimit")
    if program is None:
        names = ",".join(limits)
        raise ShellError(f"cannot set {names}: prlimit is not installed", component="rlimit")
    set_them = [f"--{name}={_text(value)}:" for name, value in limits.items()]
    return [program, *set_them, "--", *argv]


def _text(value: int) -> str:
    return "unlimited" if value == _INFINITY else str(value)
