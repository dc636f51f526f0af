"""Fixtures for the commands: our flux as a process, and an instance of flux-core."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from support.flux_core_instance import OURS, FluxCoreInstance, find_flux_core, start_flux_core

#: Runs our flux with arguments; keywords are those of subprocess.run.
RunFlux = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_flux() -> RunFlux:
    """Our flux, outside any instance."""
    environ = {name: value for name, value in os.environ.items() if name != "FLUX_URI"}

    def run(*args: str, **options: object) -> "subprocess.CompletedProcess[str]":
        env = {**environ, **options.pop("env", {})}  # type: ignore[dict-item]
        settings = {"capture_output": True, "text": True, "timeout": 30, **options}
        return subprocess.run([OURS, *args], env=env, check=False, **settings)  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture(scope="session")
def flux_core_instance() -> Iterator[FluxCoreInstance]:
    """An instance of flux-core of two brokers; skipped where flux-core is not installed."""
    program = find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")
    with start_flux_core(program, 2) as instance:
        yield instance
