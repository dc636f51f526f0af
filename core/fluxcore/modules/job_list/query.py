"""What job-list.list is asked for (RFC 43, CONTRACTS D12)."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.job import states
from fluxcore.job.constraint import USERID_ANY, Matcher, compile_constraint
from fluxcore.modules.job_list.order import Key, Ordered
from fluxcore.modules.job_list.table import JobTable, Listed

#: Jobs that are looked at in one go; others get their turn between two.
BATCH: Final = 250

_EVERY: Final = states.NEW | states.ACTIVE | states.INACTIVE


@dataclass(frozen=True, slots=True)
class Query:
    """A list request that has been checked; ``max_entries`` is 0 for no limit."""

    max_entries: int
    attrs: Sequence[object]
    since: float
    matches: Matcher
    states: int


def parse(payload: Mapping[str, Any], max_hosts: int, only_user: int | None) -> Query:
    """The query in a request. ``only_user`` limits it to that user's jobs.

    :raises OSError: EPROTO, and what is wrong with it
    """
    max_entries, attrs = payload.get("max_entries"), payload.get("attrs")
    since = payload.get("since", 0.0)
    if type(max_entries) is not int or "attrs" not in payload:
        raise _invalid("max_entries and attrs are required")
    if not isinstance(since, int | float):
        raise _invalid("since must be a number")
    if max_entries < 0:
        raise _invalid("max_entries < 0 not allowed")
    if since < 0:
        raise _invalid("since < 0.0 not allowed")
    if not isinstance(attrs, list):
        raise _invalid("attrs must be an array")
    constraint = payload.get("constraint", _legacy(payload))
    if only_user is not None:
        constraint = {"and": [constraint, {"userid": [only_user]}]}
    try:
        matches = compile_constraint(constraint, max_hosts)
    except ValueError as exc:
        raise _invalid(f"constraint object invalid: {exc}") from None
    return Query(max_entries, attrs, float(since), matches, possible_states(constraint))


def _invalid(text: str) -> OSError:
    return rpc_error(errno.EPROTO, f"invalid payload: {text}")


def _legacy(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The constraint of a request in the form that older clients send."""
    if not all(type(payload.get(key)) is int for key in ("userid", "states", "results")):
        return {}
    parts = [{key: [payload[key]]} for key in ("name", "queue") if key in payload]
    parts += [{key: [payload[key]]} for key in ("states", "results") if payload[key]]
    if payload["userid"] % 2**32 != USERID_ANY:
        parts.append({"userid": [payload["userid"]]})
    return {"and": parts}


def possible_states(constraint: Any) -> int:
    """The states that jobs which match a valid constraint may be in: the sum of them, or more."""
    for operator, values in constraint.items():
        if operator == "and":
            mask = _EVERY
            for value in values:
                mask &= possible_states(value)
            return mask
        if operator == "or" and values:
            mask = 0
            for value in values:
                mask |= possible_states(value)
            return mask
        if operator == "states":
            return _named(values)
        if operator in ("results", "t_inactive"):
            return states.INACTIVE
    return _EVERY


def _named(values: Sequence[Any]) -> int:
    mask = 0
    for value in values:
        mask |= states.parse_state(value) if isinstance(value, str) else value
    return mask


class Walk:
    """Goes through the jobs that a query may be about, a batch at a time, in order."""

    def __init__(self, table: JobTable, query: Query) -> None:
        self._table = table
        self._query = query
        self._orders = [
            order
            for order, mask in (
                (table.pending, states.PENDING),
                (table.running, states.RUNNING),
                (table.inactive, states.INACTIVE),
            )
            if mask & query.states
        ]
        self._after: Key | None = None
        #: Jobs move on between two batches; none is to be found twice.
        self._found: set[int] = set()
        self.over = not self._orders

    def step(self) -> list[Listed]:
        """Those of the next batch that match; :attr:`over` says whether there are more."""
        keys = self._orders[0].batch(self._after, BATCH)
        found = list(self._matching(self._orders[0], keys))
        if len(keys) < BATCH:
            self._orders.pop(0)
            self._after = None
        else:
            self._after = keys[-1]
        self.over |= not self._orders
        return found

    def _matching(self, order: Ordered, keys: Sequence[Key]) -> Iterator[Listed]:
        query = self._query
        for key in keys:
            listed = self._table.at(key)
            if order is self._table.inactive and -key[0] <= query.since:
                self.over = True  # those that follow have ended earlier still
                return
            if listed.info.id not in self._found and query.matches(listed.info):
                yield listed
                self._found.add(listed.info.id)
                if len(self._found) == query.max_entries:
                    self.over = True
                    return
