"""Fixtures for every test."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import MakeLocal, local

# A script that runs the tests in its background has both ignored, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A new folder whose path is short enough for sockets, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="flux-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def local_instance(short_path: Path) -> MakeLocal:
    """``async with local_instance(4) as inst:`` brokers on the test's loop."""
    return lambda size, **options: local(size, short_path, **options)
