"""Standard input and output of jobs (RFC 24): what the events of guest.output say.

The same objects carry input to a shell and output from a subprocess: a stream, the rank or
ranks of its tasks, and data as text where it is UTF-8, else in base64.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fluxcore.job.eventlog import Event


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream, its end, or both; ``rank`` is an idset or "all"."""

    stream: str
    rank: str
    data: bytes = b""
    eof: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """A stream of some ranks goes to a file (``path``) and not into the log."""

    stream: str
    rank: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """A message of the shell itself, with its syslog level; ``rank`` is the shell's, or -1."""

    level: int
    message: str
    rank: int = -1
    program: str = "flux-shell"
    component: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first event of a log: each stream's encoding, and how many tasks have it."""

    encoding: Mapping[str, str]
    count: Mapping[str, int]


Output = Header | Data | Redirect | Log


# -- writing --------------------------------------------------------------------------------


def encode_data(stream: str, rank: str, data: bytes = b"", *, eof: bool = False) -> dict[str, Any]:
    """The context of a data event, or the payload of a write to a stream.

    :raises ValueError: there is neither data nor an end
    """
    if not data and not eof:
        raise ValueError("neither data nor eof")
    context: dict[str, Any] = {"stream": stream, "rank": rank}
    if data:
        try:
            context["data"] = data.decode()
        except UnicodeDecodeError:
            context["encoding"] = "base64"
            context["data"] = base64.b64encode(data).decode()
    if eof:
        context["eof"] = True
    return context


def encode_header(ntasks: int) -> dict[str, Any]:
    """The context of the header of an output log of ``ntasks`` tasks."""
    return {
        "version": 1,
        "encoding": {"stdout": "UTF-8", "stderr": "UTF-8"},
        "count": {"stdout": ntasks, "stderr": ntasks},
        "options": {},
    }


def encode_redirect(stream: str, rank: str, path: str) -> dict[str, Any]:
    """The context of a redirect event."""
    return {"stream": stream, "rank": rank, "path": path}


def encode_log(log: Log) -> dict[str, Any]:
    """The context of a log event."""
    context: dict[str, Any] = {"rank": log.rank} if log.rank >= 0 else {}
    context |= {"level": log.level, "message": log.message}
    for key in ("component", "file", "line"):
        value = getattr(log, key)
        if value is not None:
            context[key] = value
    return context


# -- reading --------------------------------------------------------------------------------


def decode_data(context: Mapping[str, Any], default: str = "UTF-8") -> Data:
    """What the context of a data event, or the payload of a write, says.

    ``default`` is the encoding of data that names none (from the header).

    :raises ValueError: a key is missing or of another type, or the data is not so encoded
    """
    data = context.get("data")
    eof = context.get("eof", False)
    encoding = context.get("encoding", default)
    if (data is None and "eof" not in context) or not isinstance(eof, bool):
        raise ValueError("neither data nor eof")
    return Data(_text(context, "stream"), _text(context, "rank"), _bytes(data, encoding), eof)


def decode(event: Event, header: Header | None = None) -> Output | None:
    """What an event of an output or input log says; None for an event that RFC 24 has not.

    ``header`` is the first one of the log, for the encodings that it sets.

    :raises ValueError: a key is missing or of another type
    """
    context = event.context or {}
    match event.name:
        case "data":
            stream = context.get("stream")
            default = header.encoding.get(stream, "UTF-8") if header and stream else "UTF-8"
            return decode_data(context, default)
        case "redirect":
            return Redirect(_text(context, "stream"), _text(context, "rank"), context.get("path"))
        case "log":
            return _decode_log(context)
        case "header":
            return _decode_header(context)
    return None


def _decode_header(context: Mapping[str, Any]) -> Header:
    encoding, count = context.get("encoding"), context.get("count")
    if context.get("version") != 1 or not isinstance(encoding, dict):
        raise ValueError("not a header of version 1")
    return Header(encoding, count if isinstance(count, dict) else {})


def _decode_log(context: Mapping[str, Any]) -> Log:
    level = context.get("level")
    if not isinstance(level, int):
        raise ValueError("a log event needs a level")
    return Log(
        level,
        _text(context, "message"),
        context.get("rank", -1),
        context.get("program", "flux-shell"),
        context.get("component"),
        context.get("file"),
        context.get("line"),
    )


def _text(context: Mapping[str, Any], key: str) -> str:
    value = context.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a string")
    return value


def _bytes(data: object, encoding: object) -> bytes:
    if data is None:
        return b""
    if not isinstance(data, str):
        raise ValueError("data must be a string")
    if encoding != "base64":
        return data.encode()
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise ValueError("data is not base64") from None
