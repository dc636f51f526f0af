"""How a measurement is taken and printed: the engines in turn, medians, ratios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.engines import Engine


@dataclass(frozen=True)
class Figure:
    """One figure: how it is measured, in what unit, and what we aim at."""

    name: str
    unit: str
    measure: Callable[[Engine], float]
    goal: str
    #: True if more is better, as for rates.
    more: bool = False
    #: False if flux-core has nothing to compare with.
    paired: bool = True


def take(figure: Figure, engines: Sequence[Engine], rounds: int) -> None:
    """Measure ``figure`` on each engine in turn, ``rounds`` times, and print what came out."""
    if not figure.paired:
        engines = engines[:1]
    results: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            results[engine.name].append(figure.measure(engine))
    print(f"{figure.name}  (goal: {figure.goal})")
    for name, values in results.items():
        low, mid, high = min(values), median(values), max(values)
        print(f"  {name:10} {mid:10.3f} {figure.unit:6}  min {low:.3f}  max {high:.3f}")
    if len(engines) == 2:
        ours, theirs = (results[engine.name] for engine in engines)
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        print(
            f"  ratio      {median(ratios):10.3f}  ({'more' if figure.more else 'less'} is better)"
        )
