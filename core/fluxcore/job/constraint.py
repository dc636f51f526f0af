"""Constraints on jobs (RFC 31, RFC 43): which jobs job-list is asked for.

A constraint is compiled once into a :data:`Matcher` and then asked of many jobs, in any form
that has the attributes of :class:`Job`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from fluxcore.job import states
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

#: The userid that matches every job's.
USERID_ANY: Final = 2**32 - 1

#: How many hosts or ranks a constraint may name at least, however small the instance is.
MIN_HOSTS: Final = 1024

_MAX_DEPTH: Final = 32


class Job(Protocol):
    """What constraints ask of a job; None is "not known (yet)"."""

    @property
    def userid(self) -> int:
        """Who submitted it."""

    @property
    def name(self) -> str | None:
        """What it is called."""

    @property
    def queue(self) -> str | None:
        """The queue it is in."""

    @property
    def state(self) -> int:
        """Its state (RFC 21)."""

    @property
    def result(self) -> int | None:
        """Its result, once it is inactive."""

    @property
    def hosts(self) -> Hostlist:
        """Where it runs or ran."""

    @property
    def rank_set(self) -> IdSet:
        """The ranks it runs or ran on."""

    def time(self, name: str) -> float | None:
        """When it entered a state: ``t_submit``, ``t_run``, ..."""


#: Says whether a job is one of those asked for.
Matcher = Callable[[Job], bool]


def compile_constraint(constraint: object, max_hosts: int = MIN_HOSTS) -> Matcher:
    """The matcher for a constraint; ``{}`` matches every job.

    ``max_hosts`` is how many hosts or ranks may be named: the size of the instance, and at
    least :data:`MIN_HOSTS`.

    :raises ValueError: it is malformed, with the text of CONTRACTS D12
    """
    return _compile(constraint, max(max_hosts, MIN_HOSTS), 0)


def _compile(constraint: object, max_hosts: int, depth: int) -> Matcher:
    if not isinstance(constraint, dict):
        raise ValueError("constraint must be JSON object")
    if len(constraint) > 1:
        raise ValueError("constraint must only contain 1 element")
    if depth > _MAX_DEPTH:
        raise ValueError("constraint is nested too deeply")
    for operator, values in constraint.items():
        if not isinstance(values, list):
            raise ValueError(f"operator {operator} values not an array")
        if operator in _GROUPS:
            inner = [_compile(value, max_hosts, depth + 1) for value in values]
            return _GROUPS[operator](inner)
        if operator in _TIMES:
            return _time_matcher(operator, values)
        if operator not in _LEAVES:
            raise ValueError(f"unknown constraint operator: {operator}")
        return _LEAVES[operator](values, max_hosts)
    return lambda _job: True


# -- groups ---------------------------------------------------------------------------------


def _all(inner: list[Matcher]) -> Matcher:
    return lambda job: all(match(job) for match in inner)


def _any(inner: list[Matcher]) -> Matcher:
    # RFC 31: an "or" of nothing is true.
    return lambda job: not inner or any(match(job) for match in inner)


def _not(inner: list[Matcher]) -> Matcher:
    return lambda job: not all(match(job) for match in inner)


# -- operators ------------------------------------------------------------------------------


def _userid(values: list[Any], _max_hosts: int) -> Matcher:
    if not all(type(value) is int for value in values):
        raise ValueError("userid value must be an integer")
    # -1 is how flux-core's C writes "any user" into JSON.
    if any(value % 2**32 == USERID_ANY for value in values):
        return lambda _job: True
    userids = frozenset(values)
    return lambda job: job.userid in userids


def _strings(operator: str, values: list[Any]) -> frozenset[str]:
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{operator} value must be a string")
    return frozenset(values)


def _name(values: list[Any], _max_hosts: int) -> Matcher:
    names = _strings("name", values)
    return lambda job: job.name in names


def _queue(values: list[Any], _max_hosts: int) -> Matcher:
    queues = _strings("queue", values)
    return lambda job: job.queue in queues


def _states(values: list[Any], _max_hosts: int) -> Matcher:
    every = states.NEW | states.ACTIVE | states.INACTIVE
    mask = _mask("states", values, every, states.parse_state)
    return lambda job: bool(job.state & mask)


def _results(values: list[Any], _max_hosts: int) -> Matcher:
    mask = _mask("results", values, sum(states.RESULTS), states.parse_result)
    return lambda job: job.state == states.INACTIVE and bool((job.result or 0) & mask)


def _mask(operator: str, values: list[Any], every: int, parse: Callable[[str], int]) -> int:
    mask = 0
    for value in values:
        if isinstance(value, str):
            try:
                mask |= parse(value)
            except ValueError:
                raise ValueError(f"invalid {operator} value '{value}' specified") from None
        elif type(value) is int:
            if value & ~every:
                raise ValueError(f"invalid {operator} value '{value & 0xFFFFFFFF:X}h' specified")
            mask |= value
        else:
            raise ValueError(f"{operator} value invalid type")
    return mask


def _hostlist(values: list[Any], max_hosts: int) -> Matcher:
    names: list[str] = []
    for value in values:
        if not isinstance(value, str):
            raise ValueError("host value must be a string")
        try:
            hosts = Hostlist.decode(value)
        except ValueError:
            hosts = Hostlist()
        if not hosts:
            raise ValueError("host value not in valid Hostlist format")
        names += hosts
        if len(names) > max_hosts:
            raise ValueError("too many hosts specified")
    return lambda job: any(name in job.hosts for name in names)


def _ranks(values: list[Any], max_hosts: int) -> Matcher:
    ranks = IdSet()
    for value in values:
        if not isinstance(value, str):
            raise ValueError("ranks value must be a string")
        try:
            ranks |= IdSet.decode(value)
        except ValueError as exc:
            raise ValueError(f"ranks value '{value}': {exc}") from None
    if len(ranks) > max_hosts:
        raise ValueError("too many ranks specified")
    return lambda job: bool(job.rank_set & ranks)


def _time_matcher(name: str, values: list[Any]) -> Matcher:
    if not values:
        raise ValueError("timestamp value not specified")
    if not isinstance(values[0], str):
        raise ValueError(f"{name} value must be a string")
    for sign, compare in _COMPARISONS.items():
        if values[0].startswith(sign):
            limit = _timestamp(values[0].removeprefix(sign))
            return _compared(name, compare, limit)
    raise ValueError("timestamp comparison operator not specified")


def _compared(name: str, compare: Callable[[float, float], bool], limit: float) -> Matcher:
    def match(job: Job) -> bool:
        at = job.time(name)
        return at is not None and compare(at, limit)

    return match


def _timestamp(text: str) -> float:
    try:
        timestamp = float(text)
    except ValueError:
        raise ValueError("Invalid timestamp value specified") from None
    if not timestamp >= 0.0:
        raise ValueError("timestamp value must be >= 0.0")
    return timestamp


#: The longer signs first, which the shorter ones begin.
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": lambda at, limit: at >= limit,
    "<=": lambda at, limit: at <= limit,
    ">": lambda at, limit: at > limit,
    "<": lambda at, limit: at < limit,
}

_TIMES: Final = frozenset(
    ("t_submit", "t_depend", "t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive")
)

_GROUPS: Final[Mapping[str, Callable[[list[Matcher]], Matcher]]] = {
    "and": _all,
    "or": _any,
    "not": _not,
}

_LEAVES: Final[Mapping[str, Callable[[list[Any], int], Matcher]]] = {
    "userid": _userid,
    "name": _name,
    "queue": _queue,
    "states": _states,
    "results": _results,
    "hostlist": _hostlist,
    "ranks": _ranks,
}
