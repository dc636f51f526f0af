"""An instance of the console's own: started with it, ended with it.

The instance's initial program prints its URI and then reads standard input, a pipe that the
console holds. When the console leaves, in whatever way, the pipe closes, the program ends, and
the instance shuts down in good order; no process stays behind even if the console is killed.
"""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fluxcore.handle.aio import Flux

#: The initial program: its URI on standard output, then nothing until standard input ends.
_PROGRAM: Final = 'echo "$FLUX_URI"; exec cat >/dev/null'
#: Seconds that the instance has to say its URI, and to shut down.
START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 30.0


def flux_command(program: str | None, environ: Mapping[str, str]) -> list[str]:
    """The ``flux`` command that starts the instance: given, in FLUXTOP_FLUX, or our own."""
    chosen = program or environ.get("FLUXTOP_FLUX")
    return [chosen] if chosen else [sys.executable, "-m", "fluxcore.cli.main"]


class Embedded:
    """A running instance of ``size`` brokers.

    It is started at once, so that it comes up while the console imports what it draws with.

    :raises OSError: the command cannot be run
    """

    def __init__(self, flux: Sequence[str], size: int, environ: Mapping[str, str]) -> None:
        self._uri = ""
        #: What the instance says on standard error, for when it does not start.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        try:
            self._process = _start([*flux, "start", "-s", str(size)], environ, self._said)
        except OSError as exc:
            self._said.close()
            raise OSError(exc.errno, f"{flux[0]}: {exc.strerror}") from None

    async def uri(self) -> str:
        """Its URI, when it is up.

        :raises OSError: it has ended before that, or takes too long; the text is what it said
        """
        loop = asyncio.get_running_loop()
        assert self._process.stdout is not None
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )
        try:
            async with asyncio.timeout(START_TIMEOUT):
                line = await reader.readline()
        except TimeoutError:
            line = b""
        finally:
            transport.close()
        uri = line.decode(errors="replace").strip()
        if not uri:
            raise OSError(errno.ECHILD, f"the instance did not start: {self.said()}")
        self._uri = uri
        return uri

    async def dial(self, uri: str) -> "Flux":
        """A handle for ``uri``: for that of this instance only while it runs.

        :raises OSError: ECHILD if it has ended, or as for any other instance
        """
        from fluxcore.handle.aio import connect  # not before the instance is started

        if uri == self._uri and self._process.poll() is not None:
            last = self.said().splitlines()[-1]
            raise OSError(errno.ECHILD, f"the embedded instance has ended: {last}")
        return await connect(uri)

    def said(self) -> str:
        """The end of what it has said on standard error."""
        self._said.seek(0)
        text = self._said.read().decode(errors="replace").strip()
        return "\n".join(text.splitlines()[-10:]) or "it said nothing"

    def leave(self, timeout: float) -> bool:
        """Let it shut down; True if it has done so within ``timeout`` seconds."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> int:
        """Let it shut down, wait for that, and force it if need be; its exit code."""
        process = self._process
        self.leave(0.0)
        for sign in (None, signal.SIGTERM, signal.SIGKILL):
            if sign is not None:
                self._signal(sign)
            try:
                code = process.wait(STOP_TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            code = process.wait()
        self._said.close()
        return code

    def kill(self) -> None:
        """End it now; its brokers notice, and end by themselves."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._said.close()

    def _signal(self, sign: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, sign)
        except ProcessLookupError:
            pass


def _start(
    command: Sequence[str], environ: Mapping[str, str], said: IO[bytes]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*command, "sh", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=dict(environ),
        # A new session: keys typed at the terminal are the console's, not the instance's.
        start_new_session=True,
    )
