"""``flux start`` as a process: its end, its output, and that it leaves nothing behind."""

import os
import re
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.instance import FLUX, NO_RC
from support.leaks import processes_with

_TIMEOUT = 30.0
#: No rc1 and rc3: the built-in modules only.
BARE = [f"-S{name}={value}" for name, value in NO_RC.items()]


class Started:
    """A running ``flux start``, in a process group of its own.

    Its temporary directories are in ``folder``.
    """

    def __init__(self, folder: Path, *args: str, env: Mapping[str, str] | None = None) -> None:
        self.mark = str(uuid.uuid4())
        self.folder = folder
        environ = {**os.environ, "TMPDIR": str(folder), **(env or {})}
        for name in ("FLUX_URI", "PMI_FD", "PMI_RANK", "PMI_SIZE"):
            environ.pop(name, None)
        statedir = folder / "state"
        statedir.mkdir(exist_ok=True, mode=0o700)
        self.process = subprocess.Popen(
            [FLUX, "start", *args],
            env={**environ, "FLUX_TEST_MARK": self.mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        self.out = ""

    def until(self, pattern: str) -> "re.Match[str]":
        """Wait until standard output has ``pattern``."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + _TIMEOUT
        while not (found := re.search(pattern, self.out)):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise AssertionError(f"no {pattern!r} in {self.out!r}: {self.end()}")
            self.out += data.decode()
        return found

    def signal_group(self, signum: int) -> None:
        """As a terminal does, or timeout(1)."""
        os.killpg(self.process.pid, signum)

    def wait(self) -> None:
        """Wait for the end without ending what reads standard input."""
        self.process.wait(_TIMEOUT)

    def end(self) -> tuple[int, str]:
        """End standard input and wait for the end; the exit code and standard error."""
        try:
            out, err = self.process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"flux start does not end: {err.decode()}") from None
        self.out += out.decode()
        return self.process.returncode, err.decode()

    def gone(self) -> None:
        """Wait until no process of it is left, for what has lost its starter ends by itself."""
        deadline = time.monotonic() + _TIMEOUT
        while left := processes_with(f"FLUX_TEST_MARK={self.mark}"):
            assert time.monotonic() < deadline, left


@contextmanager
def started(folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Run ``flux start`` with ``args``; afterwards no process and no directory may be left."""
    run = Started(folder, *args, env=env)
    try:
        yield run
        run.end()
        run.gone()
        left = [path.name for path in folder.iterdir() if path.name != "state"]
        assert not left, f"left behind: {left}"
    finally:
        if run.process.poll() is None:
            run.signal_group(signal.SIGKILL)
            run.process.communicate()
