"""An instance of flux-core, for commands of ours that are compared with flux-core's."""

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Our own flux, beside this Python.
OURS = str(Path(sys.executable).parent / "flux")
_START_TIMEOUT = 40.0
_COMMAND_TIMEOUT = 30.0
_TELL = 'echo "$FLUX_URI"; exec cat >/dev/null'


def find_flux_core(environ: Mapping[str, str] = os.environ) -> str | None:
    """flux-core's flux, which is not the one beside this Python; None if it is not here."""
    prefix = environ.get("FLUX_CORE_PREFIX")
    path = f"{prefix}/bin" if prefix else environ.get("PATH", "")
    ours = str(Path(OURS).parent)
    places = [place for place in path.split(os.pathsep) if place != ours]
    return shutil.which("flux", path=os.pathsep.join(places))


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code and what it wrote."""

    status: int
    stdout: str
    stderr: str


@dataclass
class FluxCoreInstance:
    """A running instance, and both commands to use in it."""

    program: str
    environ: dict[str, str]

    def core(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Outcome:
        """Run flux-core's command."""
        return self._run([self.program, *args], stdin, env)

    def ours(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Outcome:
        """Run our command."""
        return self._run([OURS, *args], stdin, env)

    def _run(self, command: Sequence[str], stdin: str, env: Mapping[str, str] | None) -> Outcome:
        done = subprocess.run(
            command,
            env={**self.environ, **(env or {})},
            input=stdin.encode(),
            capture_output=True,
            check=False,
            timeout=_COMMAND_TIMEOUT,
        )
        return Outcome(
            done.returncode,
            done.stdout.decode(errors="surrogateescape"),
            done.stderr.decode(errors="surrogateescape"),
        )


@contextmanager
def start_flux_core(program: str, size: int) -> Iterator[FluxCoreInstance]:
    """An instance of ``size`` brokers; it ends with the block."""
    environ = {
        "PATH": f"{Path(program).parent}:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "SHLVL": "1",
    }
    command = [program, "start", "-s", str(size), "sh", "-c", _TELL]
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _START_TIMEOUT)
        uri = process.stdout.readline().decode().strip() if ready else ""
        assert uri, "flux-core's instance did not come up"
        yield FluxCoreInstance(program, {**environ, "FLUX_URI": uri})
    finally:
        process.communicate()
