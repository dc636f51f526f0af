"""``flux module stats`` (CONTRACTS A25, A26)."""

import json
from typing import Any, Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux


def stats(parsed: Parsed) -> None:
    """Print or clear what a module counts, or print what it uses."""
    if len(parsed.args) != 1:
        raise UsageError
    service = parsed.args[0]
    with connect() as flux:
        if "clear" in parsed:
            _clear(flux, f"{service}.stats-clear")
        elif "clear-all" in parsed:
            flux.publish(f"{service}.stats-clear")
        elif "rusage" in parsed:
            _print(parsed, _get(flux, f"{service}.rusage", parsed.text("rusage")))
        else:
            _print(parsed, _get(flux, f"{service}.stats-get"))


def _clear(flux: Flux, topic: str) -> None:
    try:
        flux.rpc(topic)
    except OSError as exc:
        raise CommandError(f"{topic}: {plain_text(exc)}") from None


def _get(flux: Flux, topic: str, who: str | None = None) -> dict[str, Any]:
    try:
        return flux.rpc(topic, {"who": who} if who else None).json
    except OSError as exc:
        raise CommandError(f"{topic}: {exc.strerror}") from None


def _print(parsed: Parsed, answer: dict[str, Any]) -> None:
    path = parsed.text("parse")
    value = walk(answer, path) if path else answer
    print(format_value(value, parsed.text("type"), parsed.number("scale", 1.0)))


def walk(answer: dict[str, Any], path: str) -> object:
    """What is at ``path``: keys joined by periods.

    :raises CommandError: nothing is
    """
    value: object = answer
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise CommandError(f"`{path}' not found in response")
        value = value[key]
    return value


def format_value(value: object, kind: str | None = None, scale: float = 1.0) -> str:
    """A number times ``scale``, as ``kind`` ("int", "double") if given; anything else as JSON."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    size = float(value) * scale if isinstance(value, int | float) and number else 0.0
    if kind == "int" or (isinstance(value, int) and number):
        return str(int(size))
    if kind == "double" or number:
        return f"{size:f}"
    return json.dumps(value, indent=1, ensure_ascii=False)


STATS: Final = Command(
    "flux-module stats",
    "[OPTIONS] module",
    "Display stats on module",
    stats,
    [
        Option("parse", "p", "OBJNAME", "print only the value at OBJNAME (a.b.c)"),
        Option("scale", "s", "N", "multiply a number by N"),
        Option("type", "t", "int|double", "print a number as int or double"),
        Option(
            "rusage",
            "R",
            "[self|children|thread]",
            "print the resources used instead, by default of the process itself",
            optional=True,
            attached=True,
        ),
        Option("clear", "c", doc="clear the stats on this rank"),
        Option("clear-all", "C", doc="clear the stats on all ranks"),
    ],
)
