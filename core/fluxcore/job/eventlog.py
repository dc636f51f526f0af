"""Eventlogs (RFC 18): the record of a job, one JSON object a line.

::

    {"timestamp": 1552593348.073045, "name": "submit", "context": {"urgency": 16, "userid": 5588}}

A log is only ever appended to, whole events at a time. Timestamps are written with as many
digits as it takes to read the same number back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Event:
    """One event: seconds since the Unix epoch, its name, and what it says about itself."""

    timestamp: float
    name: str
    context: Mapping[str, Any] | None = None

    def to_object(self) -> dict[str, Any]:
        """The event as the JSON object of a payload."""
        if self.context is None:
            return {"timestamp": self.timestamp, "name": self.name}
        return {"timestamp": self.timestamp, "name": self.name, "context": self.context}

    def encode(self) -> bytes:
        """The event as a line of an eventlog, newline included.

        :raises TypeError: the context has no JSON form
        """
        return orjson.dumps(self.to_object(), option=orjson.OPT_APPEND_NEWLINE)


def from_object(obj: object) -> Event:
    """The event that a JSON object is.

    :raises ValueError: a required key is missing or of another type
    """
    if not isinstance(obj, dict):
        raise ValueError("an event must be an object")
    timestamp, name, context = obj.get("timestamp"), obj.get("name"), obj.get("context")
    if not isinstance(timestamp, float | int) or isinstance(timestamp, bool):
        raise ValueError("an event needs a timestamp, a number")
    if not isinstance(name, str):
        raise ValueError("an event needs a name, a string")
    if "context" in obj and not isinstance(context, dict):
        raise ValueError("an event's context must be an object")
    return Event(float(timestamp), name, context)


def decode(line: str | bytes) -> Event:
    """The event in one line, with or without its newline.

    :raises ValueError: the line is no JSON, or no event
    """
    return from_object(orjson.loads(line))


def decode_log(log: str | bytes) -> list[Event]:
    """The events of a whole eventlog; an empty one has none.

    :raises ValueError: a line is no event, or the last one has no newline
    """
    lines = log.encode() if isinstance(log, str) else log
    if not lines:
        return []
    if not lines.endswith(b"\n"):
        raise ValueError("the last line of an eventlog must end in a newline")
    return [decode(line) for line in lines[:-1].split(b"\n")]
