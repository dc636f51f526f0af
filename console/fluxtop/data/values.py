"""A value of the key-value store as lines to read: text, JSON, an eventlog or bytes."""

import re
from dataclasses import dataclass
from typing import Final

import orjson

from fluxcore.job.eventlog import Event, decode_log

#: The ways to show a value; beside them ``auto`` is the one that suits it.
FORMS: Final = ("text", "json", "events", "hex")

#: Bytes of a value that are shown; of a larger one, its first so many.
SHOWN: Final = 1 << 20

#: What a text has none of.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in one of its forms. ``events`` is filled for that form, else ``lines`` are."""

    form: str
    lines: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    cut: bool = False


def show(data: bytes, form: str = "auto") -> Shown:
    """``data`` in ``form``; in another one that suits it if it has no such form."""
    cut = len(data) > SHOWN
    data = data[:SHOWN]
    if form == "auto":
        form = suits(data)
    if form == "events":
        events = _events(data)
        if events:
            return Shown("events", events=tuple(events), cut=cut)
    if form == "json":
        pretty = _json(data)
        if pretty is not None:
            return Shown("json", tuple(pretty), cut=cut)
    text = _text(data)
    if form == "hex" or text is None:
        return Shown("hex", tuple(hex_lines(data)), cut=cut)
    return Shown("text", tuple(text.split("\n")), cut=cut)


def has(data: bytes, form: str) -> bool:
    """True if ``data`` can be shown in ``form``."""
    return form == "hex" or show(data, form).form == form


def suits(data: bytes) -> str:
    """The form that suits ``data`` best."""
    if not data:
        return "text"
    if data[:1] == b"{" and data[-1:] == b"\n" and _events(data) is not None:
        return "events"
    if data.lstrip()[:1] in (b"{", b"[") and _json(data) is not None:
        return "json"
    return "hex" if _text(data) is None else "text"


def _events(data: bytes) -> list[Event] | None:
    try:
        return decode_log(data)
    except ValueError:
        return None


def _json(data: bytes) -> list[str] | None:
    try:
        obj = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return orjson.dumps(obj, option=orjson.OPT_INDENT_2).decode().split("\n")


def _text(data: bytes) -> str | None:
    """The text in ``data`` without its last newline, or None if there are other bytes in it."""
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        # A character cut in two by the limit on what is shown is no reason to show bytes.
        if exc.start < SHOWN - 3:
            return None
        text = data[: exc.start].decode()
    if _CONTROL.search(text):
        return None
    return text.removesuffix("\n").replace("\r", "").expandtabs(8)


def hex_lines(data: bytes) -> list[str]:
    """A hex dump: offset, sixteen bytes, and the characters among them."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        digits = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        chars = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in row)
        lines.append(f"{at:08x}  {digits:<49}  {chars}")
    return lines or ["(empty)"]
