"""Print the figures: all of them, or those whose names begin with the words given."""

import argparse

from tests.bench.console import CONSOLE
from tests.bench.engines import engines
from tests.bench.memory import MEMORY
from tests.bench.report import take
from tests.bench.speed import SPEED

FIGURES = (*SPEED, *MEMORY, *CONSOLE)


def main() -> None:
    """Take the measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="figures to take; all by default")
    parser.add_argument("-r", "--rounds", type=int, default=5, help="rounds of each (5)")
    parser.add_argument("-l", "--list", action="store_true", help="list the figures")
    args = parser.parse_args()
    found = engines()
    for figure in FIGURES:
        if args.list:
            print(figure.name)
        elif not args.names or any(figure.name.startswith(name) for name in args.names):
            take(figure, found, args.rounds)


main()
