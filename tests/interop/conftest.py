"""flux-core's own programs, for tests that compare with them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: Runs flux-core's flux with arguments and standard input, and gives what it prints.
RunFlux = Callable[..., str]
#: Runs a script in flux-core's Python; the values it reads and writes are JSON.
RunScript = Callable[[str, Any], Any]


@pytest.fixture(scope="session")
def flux_core() -> RunFlux:
    """flux-core's flux command, which is not the one beside this Python; else a skip."""
    prefix = os.environ.get("FLUX_CORE_PREFIX")
    path = f"{prefix}/bin" if prefix else os.environ.get("PATH", "")
    ours = str(Path(sys.executable).parent)
    places = [place for place in path.split(os.pathsep) if place != ours]
    program = shutil.which("flux", path=os.pathsep.join(places))
    if program is None:
        pytest.skip("flux-core is not installed")
    environment = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/tmp", "A": "1", "B": "two"}

    def run(*args: str, stdin: str = "", check: bool = True) -> str:
        done = subprocess.run(
            [program, *args],
            input=stdin,
            env=environment,
            cwd="/tmp",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if check else done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def flux_python(flux_core: RunFlux) -> RunScript:
    """flux-core's Python, for its modules."""

    def run(script: str, value: Any) -> Any:
        return json.loads(flux_core("python", "-c", script, stdin=json.dumps(value)))

    return run
