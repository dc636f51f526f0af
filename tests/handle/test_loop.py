"""Which event loop there is, with uvloop and without."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

_SAY = (
    "import sys; {}; from fluxcore.handle.loop import new_event_loop as new;"
    "loop = new(); print(type(loop).__module__.partition('.')[0]); loop.close()"
)


def loop_after(statement: str) -> str:
    """The package of the loop that a new interpreter makes after ``statement``."""
    args = [sys.executable, "-c", _SAY.format(statement)]
    return subprocess.run(args, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_without_uvloop_it_is_asyncios() -> None:
    assert loop_after("sys.modules['uvloop'] = None") == "asyncio"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")
def test_with_uvloop_it_is_uvloops() -> None:
    assert loop_after("pass") == "uvloop"
