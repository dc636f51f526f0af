"""A job's output as lines, put together from the pieces in which it came."""

from collections.abc import Iterable
from dataclasses import dataclass
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
        self._dropped = 0
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
        pieces = data.data.decode(errors="replace").split("\n")
        at = self._open.pop(key, None)
        if at is not None and pieces[0]:
            line = self.lines[at - self._dropped]
            grown = OutputLine(data.stream, data.rank, line.text + pieces[0])
            self.lines[at - self._dropped] = grown
            self.widest = max(self.widest, len(grown.text))
        elif at is None and (pieces[0] or len(pieces) > 1):
            self._append(OutputLine(data.stream, data.rank, pieces[0]))
        for piece in pieces[1:-1]:
            self._append(OutputLine(data.stream, data.rank, piece))
        if len(pieces) > 1 and pieces[-1]:
            self._append(OutputLine(data.stream, data.rank, pieces[-1]))
        if pieces[-1] and not data.eof:
            self._open[key] = at if at is not None and len(pieces) == 1 else self._last
        elif len(pieces) == 1 and at is not None and not data.eof:
            self._open[key] = at

    @property
    def _last(self) -> int:
        return self._dropped + len(self.lines) - 1

    def _append(self, line: OutputLine) -> None:
        text = line.text.replace("\r", "").expandtabs(8)
        self.lines.append(OutputLine(line.stream, line.rank, text))
        self.widest = max(self.widest, len(text))

    def _trim(self) -> None:
        if len(self.lines) <= self._capacity + self._capacity // 10:
            return
        gone = len(self.lines) - self._capacity
        del self.lines[:gone]
        self._dropped += gone
        self._open = {key: at for key, at in self._open.items() if at >= self._dropped}
