"""A job's output as lines, put together from the pieces in which it came."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from fluxcore.job.output import Data, Header, Log, Output, Redirect

#: Lines kept; the oldest go.
CAPACITY: Final = 100_000


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line: the stream (``stdout``, ``stderr``, or ``shell`` for the shell's own words) and
    the rank of the task, as it came.
    """

    stream: str
    rank: str
    text: str


class OutputModel:
    """The lines so far; the last of a stream may still grow."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._open: dict[tuple[str, str], int] = {}
        #: How many lines went since there were too many.
        self.dropped = 0
        self.ntasks = 1
        self.widest = 0
        self.lines: list[OutputLine] = []

    def add(self, printed: Iterable[Output]) -> None:
        """Take more output."""
        for output in printed:
            match output:
                case Header():
                    self.ntasks = max(output.count.values(), default=1)
                case Data():
                    self._write(output)
                case Redirect():
                    where = output.path or "elsewhere"
                    text = f"{output.stream} goes to {where}"
                    self._append(OutputLine("shell", output.rank, text))
                case Log():
                    self._append(OutputLine("shell", "", output.message))
        self._trim()

    def _write(self, data: Data) -> None:
        key = (data.stream, data.rank)
        # splitlines() parts at characters that mean nothing to a terminal, such as U+2028.
        first, *rest = data.data.decode(errors="replace").split("\n")
        at = self._open.pop(key, None)
        if at is not None:
            self._grow(at, first)
        elif first or rest:
            at = self._append(OutputLine(*key, first))
        for piece in rest[:-1]:
            self._append(OutputLine(*key, piece))
        if rest:
            at = self._append(OutputLine(*key, rest[-1])) if rest[-1] else None
        if at is not None and not data.eof:
            self._open[key] = at

    def _append(self, line: OutputLine) -> int:
        self.lines.append(replace(line, text=""))
        at = self.dropped + len(self.lines) - 1
        self._grow(at, line.text)
        return at

    def _grow(self, at: int, piece: str) -> None:
        line = self.lines[at - self.dropped]
        # What a carriage return leaves on the line is what was written after it.
        text = (line.text + piece).rstrip("\r").rpartition("\r")[2].expandtabs(8)
        self.lines[at - self.dropped] = replace(line, text=text)
        self.widest = max(self.widest, len(text))

    def _trim(self) -> None:
        if len(self.lines) <= self._capacity + self._capacity // 10:
            return
        gone = len(self.lines) - self._capacity
        del self.lines[:gone]
        self.dropped += gone
        self._open = {key: at for key, at in self._open.items() if at >= self.dropped}
