"""Which ranks are drained, since when and why (CONTRACTS H6).

A drained rank gets no new jobs. It stays drained when the instance is started again: the events in
the KVS say so, and a checkpoint shortens their replay.
"""

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.job.eventlog import Event
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet


@dataclass(frozen=True, slots=True)
class Drained:
    """Since when (seconds since the Unix epoch) and why a rank is drained."""

    timestamp: float
    reason: str | None


class Drains:
    """The drained ranks of an instance with ``hosts``, one for each rank."""

    def __init__(self, hosts: Hostlist) -> None:
        self._hosts = hosts
        self._drained: dict[int, Drained] = {}

    @property
    def ranks(self) -> IdSet:
        """The ranks that are drained."""
        return IdSet(self._drained)

    def drain(self, ranks: IdSet, timestamp: float, reason: str | None, overwrite: int = 0) -> None:
        """Drain ``ranks``.

        What is drained for a reason already stays so, unless ``overwrite`` is 1 (take the new
        reason) or 2 (and the new time).
        """
        for rank in ranks:
            before = self._drained.get(rank)
            if before is not None and before.reason and not overwrite:
                continue
            since = timestamp if before is None or overwrite == 2 else before.timestamp
            self._drained[rank] = Drained(since, reason)

    def undrain(self, ranks: IdSet) -> None:
        """Let ``ranks`` get jobs again."""
        for rank in ranks:
            self._drained.pop(rank, None)

    # -- checks ----------------------------------------------------------------------------

    def check_drain(self, ranks: IdSet, excluded: IdSet) -> None:
        """Check that none of ``ranks`` is drained for a reason, or excluded.

        :raises OSError: EEXIST, EINVAL: some are
        """
        drained = IdSet([r for r in ranks if r in self._drained and self._drained[r].reason])
        wrong = drained | (ranks & excluded)
        if not wrong:
            return
        whats = ["already drained"] * bool(drained) + ["excluded"] * bool(ranks & excluded)
        text = f"rank{'s' if len(wrong) > 1 else ''} {wrong} {' or '.join(whats)}"
        raise rpc_error(errno.EEXIST if drained else errno.EINVAL, text)

    def check_undrain(self, ranks: IdSet) -> None:
        """Check that all of ``ranks`` are drained.

        :raises OSError: EEXIST, some are not
        """
        wrong = ranks - self.ranks
        if wrong:
            text = f"rank{'s' if len(wrong) > 1 else ''} {wrong} not drained"
            raise rpc_error(errno.EEXIST, text)

    # -- JSON ------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The drained ranks, those of equal time (in whole seconds) and reason together."""
        groups: dict[tuple[float, str], list[int]] = {}
        for rank, drained in sorted(self._drained.items()):
            key = (float(round(drained.timestamp)), drained.reason or "")
            groups.setdefault(key, []).append(rank)
        return {
            IdSet(ranks).encode(): {"timestamp": timestamp, "reason": reason}
            for (timestamp, reason), ranks in groups.items()
        }

    def checkpoint(self, now: float) -> dict[str, Any]:
        """What a checkpoint says."""
        state = {
            ranks: {**entry, "nodelist": self.nodelist(IdSet.decode(ranks))}
            for ranks, entry in self.to_json().items()
        }
        return {"timestamp": now, "drain_state": state}

    def nodelist(self, ranks: IdSet) -> str:
        """The hosts of ``ranks``."""
        return Hostlist([self._hosts[rank] for rank in ranks]).encode()

    # -- what was before -------------------------------------------------------------------

    def restore(self, checkpoint: Mapping[str, Any]) -> float:
        """Take up a checkpoint; the time that it was made.

        :raises ValueError: it is malformed
        """
        try:
            for ranks, entry in checkpoint["drain_state"].items():
                found = self._found(ranks, entry["nodelist"])
                self.drain(found, float(entry["timestamp"]), entry["reason"] or None)
            return float(checkpoint["timestamp"])
        except (KeyError, TypeError, AttributeError):
            raise ValueError("malformed drain checkpoint") from None

    def replay(self, events: Iterable[Event], since: float) -> None:
        """Take up the events of an eventlog from time ``since`` on.

        :raises ValueError: one is malformed
        """
        for event in events:
            take = _EVENTS.get(event.name)
            if take is None or event.timestamp < since:
                continue
            try:
                take(self, event, event.context or {})
            except (KeyError, TypeError):
                raise ValueError(f"malformed event {event.name}") from None

    def _replay_drain(self, event: Event, context: Mapping[str, Any]) -> None:
        ranks = self._found(context["idset"], context["nodelist"])
        self.drain(ranks, event.timestamp, context.get("reason"), context.get("overwrite", 1))

    def _replay_undrain(self, _event: Event, context: Mapping[str, Any]) -> None:
        self.undrain(self._found(context["idset"], context["nodelist"]))

    def _found(self, ranks: str, nodelist: str) -> IdSet:
        """The ranks that these hosts have now; those that are gone are left out."""
        found = []
        for rank, host in zip(IdSet.decode(ranks), Hostlist.decode(nodelist), strict=False):
            if rank < len(self._hosts) and self._hosts[rank] == host:
                found.append(rank)
            elif host in self._hosts:
                found.append(self._hosts.index(host))
        return IdSet(found)


_EVENTS: Mapping[str, Callable[[Drains, Event, Mapping[str, Any]], None]] = {
    "drain": Drains._replay_drain,
    "undrain": Drains._replay_undrain,
}
