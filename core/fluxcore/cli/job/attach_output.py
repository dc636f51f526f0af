"""The output log of a job, as the user of ``flux job attach`` sees it."""

from collections import deque
from collections.abc import Callable

from fluxcore.cli.errors import CommandError
from fluxcore.cli.job import attach_text
from fluxcore.cli.job.attach_effects import Settings
from fluxcore.job.eventlog import Event
from fluxcore.job.output import Data, Header, Log, Redirect, decode

#: Writes to our "stdout" or "stderr".
Write = Callable[[str, bytes], None]


class OutputView:
    """Takes the events of ``guest.output`` and writes what they say.

    With a tail, what is old is kept back, and its end is written by :meth:`caught_up`.
    """

    def __init__(self, settings: Settings, write: Write) -> None:
        self._set = settings
        self._write = write
        self._header: Header | None = None
        self._tail: deque[tuple[Event, float]] | None = None
        if settings.tail is not None:
            self._tail = deque(maxlen=settings.tail)

    def event(self, event: Event, seconds: float) -> None:
        """Take an event, so many seconds after the job was submitted.

        :raises CommandError: it makes no sense
        """
        if self._tail is None or event.name not in ("data", "log"):
            self._show(event, seconds)
        elif not (event.context or {}).get("eof"):
            self._tail.append((event, seconds))

    def caught_up(self) -> None:
        """Take notice that what follows is new, or that nothing does."""
        if self._tail is None:
            return
        kept, self._tail = self._tail, None
        for event, seconds in kept:
            self._show(event, seconds)

    def _show(self, event: Event, seconds: float) -> None:
        try:
            output = decode(event, self._header)
        except ValueError:
            raise CommandError("malformed event context") from None
        if isinstance(output, Header):
            self._header = output
        elif isinstance(output, Data):
            self._data(output)
        elif isinstance(output, Redirect) and not self._set.quiet:
            self._write("stderr", attach_text.redirect_line(output).encode())
        elif isinstance(output, Log) and not self._set.quiet:
            text = attach_text.log_text(output, verbose=self._set.verbose)
            self._write("stderr", f"{seconds:.3f}s: {text}\n".encode())

    def _data(self, output: Data) -> None:
        if output.data:
            label = f"{output.rank}: ".encode() if self._set.label else b""
            stream = "stdout" if output.stream == "stdout" else "stderr"
            self._write(stream, label + output.data)
