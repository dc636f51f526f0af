"""The console: how soon it can be used."""

from tests.bench.engines import Engine
from tests.bench.report import Figure


def _first_paint(engine: Engine) -> float:
    return engine.client(4, "console")[0]


CONSOLE = (Figure("fluxtop: start to first full paint", "s", _first_paint, "0.7", paired=False),)
