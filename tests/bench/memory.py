"""Memory: what the first broker takes, and what each further one takes for itself."""

from tests.bench.engines import Engine
from tests.bench.report import Figure


def _first(engine: Engine) -> float:
    return engine.client(4, "memory")[0]


def _further(engine: Engine) -> float:
    return engine.client(4, "memory")[1]


MEMORY = (
    Figure("memory of the first broker (resident)", "MB", _first, "60 at most"),
    Figure("memory of each further broker (private)", "MB", _further, "12 at most"),
)
