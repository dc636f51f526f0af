"""A stream of bytes as the data events of a task's output (RFC 24).

Readers put a label before each event, so an event of a line-buffered stream is one line. What is
not UTF-8 goes as base64, line by line, and the rest stays text.
"""

from typing import Any, Final

from fluxcore.job.output import encode_data

#: A line longer than this is cut.
LINE_MAX: Final = 1 << 20


class OutputStream:
    """One stream of one task. ``by_line`` holds a last line without newline until its end."""

    __slots__ = ("_by_line", "_rank", "_rest", "name")

    def __init__(self, name: str, taskid: int, *, by_line: bool) -> None:
        self.name = name
        self._rank = str(taskid)
        self._by_line = by_line
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The contexts of the events that ``data`` completes."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._by_line and not data.endswith(b"\n"):
            whole, newline, rest = data.rpartition(b"\n")
            if len(rest) <= LINE_MAX:
                data, self._rest = whole + newline, rest
        return self._contexts(data) if data else []

    def end(self) -> list[dict[str, Any]]:
        """The contexts of the last events: what is left, and the end."""
        rest, self._rest = self._rest, b""
        last = [{"stream": self.name, "rank": self._rank, "eof": True}]
        return [*self._contexts(rest), *last] if rest else last

    def _contexts(self, data: bytes) -> list[dict[str, Any]]:
        stream, rank = self.name, self._rank
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return [encode_data(stream, rank, line) for line in _split(data)]
        *lines, last = text.split("\n")
        contexts = [{"stream": stream, "rank": rank, "data": line + "\n"} for line in lines]
        if last:
            contexts.append({"stream": stream, "rank": rank, "data": last})
        return contexts


def _split(data: bytes) -> list[bytes]:
    """The lines of ``data`` with their newlines, and what is behind the last one."""
    *lines, last = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])
