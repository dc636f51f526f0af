"""An eventlog's events as lines: when, what, and what it says about itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from fluxcore.job.eventlog import Event
from fluxtop.cells import Role, Span, width_of

_ROLES: Final[dict[str, Role]] = {
    "exception": "bad",
    "submit": "info",
    "start": "good",
    "finish": "good",
    "clean": "dim",
    "free": "dim",
    "release": "dim",
}

#: Objects nested deeper than this are shown as JSON.
_DEEPEST: Final = 4


def event_line(event: Event, began: float) -> list[Span]:
    """An event, its time counted from ``began``."""
    spans: list[Span] = [
        (f"{event.timestamp - began:9.3f}s  ", "dim"),
        (f"{event.name:<12}", _role(event)),
    ]
    for key, value in _flat(event.context or {}):
        spans += [(f" {key}", "key"), ("=", "dim"), (_text(value), "plain")]
    return spans


def widest(events: Sequence[Event]) -> int:
    """The cells that the longest of the lines of ``events`` takes."""
    began = events[0].timestamp if events else 0.0
    return max((width_of(event_line(event, began)) for event in events), default=0)


def _flat(context: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The context's values; those of objects in it under dotted names."""
    for key, value in context.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value and name.count(".") < _DEEPEST:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _role(event: Event) -> Role:
    context = event.context or {}
    if event.name == "finish" and context.get("status"):
        return "bad"
    if event.name == "exception" and context.get("severity"):
        return "warn"
    return _ROLES.get(event.name, "strong")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
