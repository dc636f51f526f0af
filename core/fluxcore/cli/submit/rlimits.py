"""Which soft resource limits a job gets, by the rules of ``--rlimit``.

Rules are applied in their order, each a name or glob of names without RLIMIT_::

    -PATTERN     do not set the limits that match
    PATTERN      set them to what they are here
    NAME=VALUE   set one to a number or "unlimited"

Without rules a job gets all limits but a few that only matter here.
"""

import resource
from collections.abc import Iterable
from typing import Final

from fluxcore.cli.submit.environment import matcher

_PREFIX: Final = "RLIMIT_"
_NOT_SET: Final = (
    "-memlock",
    "-ofile",
    "-msgqueue",
    "-nice",
    "-rtprio",
    "-rttime",
    "-sigpending",
)
_UNLIMITED: Final = ("unlimited", "infinity", "inf")


def job_rlimits(rules: Iterable[str]) -> dict[str, int]:
    """The limits by lower-case name, -1 for unlimited.

    :raises ValueError: a rule names no limit, or its value is no number
    """
    limits = current_rlimits("*")
    given = [rule for text in rules for rule in text.split(",")]
    for rule in [*_NOT_SET, *given]:
        name, equals, value = rule.partition("=")
        if rule.startswith("-"):
            matches = matcher(rule[1:].lower())
            limits = {name: limit for name, limit in limits.items() if not matches(name)}
        elif equals:
            limits[_known(name)] = _parse(name, value)
        else:
            limits |= current_rlimits(name.lower())
    return limits


def current_rlimits(pattern: str) -> dict[str, int]:
    """Our own soft limits whose lower-case names match ``pattern``.

    :raises ValueError: there is none
    """
    matches = matcher(pattern)
    names = [name for name in vars(resource) if name.startswith(_PREFIX)]
    limits = {
        name.removeprefix(_PREFIX).lower(): resource.getrlimit(getattr(resource, name))[0]
        for name in names
        if matches(name.removeprefix(_PREFIX).lower())
    }
    if not limits:
        raise ValueError(f'No corresponding rlimit matching "{pattern}"')
    return limits


def _known(name: str) -> str:
    if not hasattr(resource, _PREFIX + name.upper()):
        raise ValueError(f'Invalid rlimit "{name}"')
    return name.lower()


def _parse(name: str, value: str) -> int:
    if value in _UNLIMITED:
        return resource.RLIM_INFINITY
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"Invalid value in {name}={value}") from None
