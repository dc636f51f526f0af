"""The broker's log as a stream, and the lines of it that are kept and shown."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_DEBUG, LogEntry, parse_line
from fluxtop.data.rows import Rows
from fluxtop.data.stream import batches

#: Lines kept; when a tenth more have come, the oldest go.
CAPACITY: Final = 100_000


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines that have come together. ``first`` is true for those that open a connection: the
    broker's ring from its start, which replaces what was shown.
    """

    first: bool
    entries: tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class LogWatch:
    """Follow the log of a rank (CONTRACTS A32)."""

    rank: int

    async def follow(self, flux: Flux, emit: Callable[[LogBatch], None]) -> None:
        """Emit the ring's lines, then new ones as they come."""
        stream = flux.stream("log.dmesg", {"follow": True}, nodeid=self.rank, cancel="log.cancel")
        first = True
        async with aclosing(batches(stream)) as handfuls:
            async for batch in handfuls:
                emit(LogBatch(first, tuple(parse_line(msg.data or b"") for msg in batch)))
                first = False


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line by its number in the order of arrival."""

    seq: int
    entry: LogEntry


class LogModel:
    """The lines that are kept, and those of them that the level and the filter let through."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._next = 0
        self.level = LOG_DEBUG
        self.needle = ""
        self.rows: Rows[int, LogRow] = Rows(lambda row: row.seq)

    def apply(self, batch: LogBatch) -> None:
        """Take lines."""
        if batch.first:
            self.rows.clear()
        self._append(batch.entries)

    def _append(self, entries: Iterable[LogEntry]) -> None:
        for entry in entries:
            self.rows.put(LogRow(self._next, entry))
            self._next += 1
        if self.rows.total > self._capacity + self._capacity // 10:
            oldest = self._next - self._capacity
            self.rows.replace([row for row in self.rows.everything() if row.seq >= oldest])

    def show(self, *, level: int | None = None, needle: str | None = None) -> None:
        """Show only lines at least as severe as ``level`` that contain ``needle``."""
        self.level = self.level if level is None else level
        self.needle = self.needle if needle is None else needle.lower()
        plain = self.level == LOG_DEBUG and not self.needle
        self.rows.filter(None if plain else self._keeps)

    def _keeps(self, row: LogRow) -> bool:
        entry = row.entry
        if entry.severity > self.level:
            return False
        return not self.needle or self.needle in f"{entry.app} {entry.text}".lower()
