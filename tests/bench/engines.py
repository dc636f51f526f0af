"""The two engines that are measured: ours, and flux-core where it is installed.

flux-core is looked for at FLUX_CORE_PREFIX, else on PATH.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_OURS = Path(sys.executable).parent
CLIENTS = Path(__file__).parent / "clients"


@dataclass(frozen=True)
class Engine:
    """An implementation of Flux: its ``flux`` command and the environment it is run in."""

    name: str
    flux: str

    def environ(self) -> dict[str, str]:
        """The environment, with this engine's flux first on PATH."""
        names = ("FLUX_URI", "PMI_FD", "PMI_RANK", "PMI_SIZE", "PYTHONPATH")
        env = {name: value for name, value in os.environ.items() if name not in names}
        folders = [folder for folder in env["PATH"].split(":") if Path(folder) != _OURS]
        env["PATH"] = ":".join([str(Path(self.flux).parent), *folders])
        # flux-core's commands print a warning at other shell depths.
        env["SHLVL"] = "1"
        return env

    def start(self, size: int, *command: str) -> str:
        """What ``command`` prints, run as the initial program of an instance of ``size``."""
        return subprocess.run(
            [self.flux, "start", "-s", str(size), *command],
            env=self.environ(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def client(self, size: int, name: str, *args: object) -> list[float]:
        """The numbers that the client program ``name`` prints in an instance of ``size``."""
        program = [sys.executable, str(CLIENTS / f"{name}.py"), *(str(arg) for arg in args)]
        return [float(word) for word in self.start(size, *program).split()]

    def seconds(self, size: int, *command: str) -> float:
        """How long an instance of ``size`` takes to run ``command`` and end."""
        started = time.perf_counter()
        self.start(size, *command)
        return time.perf_counter() - started


def engines() -> Sequence[Engine]:
    """Ours first; flux-core too if it is here."""
    found = [Engine("fluxtop", str(_OURS / "flux"))]
    prefix = os.environ.get("FLUX_CORE_PREFIX")
    path = f"{prefix}/bin" if prefix else os.environ.get("PATH", "")
    folders = [folder for folder in path.split(":") if folder and Path(folder) != _OURS]
    core = shutil.which("flux", path=":".join(folders))
    if core:
        found.append(Engine("flux-core", core))
    return found
