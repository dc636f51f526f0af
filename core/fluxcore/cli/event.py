"""``flux event pub`` and ``sub`` (CONTRACTS A8, A17, A46)."""

import os
from base64 import b64encode
from typing import Any, Final

from fluxcore.cli.command import Command, Group, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.wire.constants import PRIVATE
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int


def publish(parsed: Parsed) -> None:
    """Publish an event."""
    if not parsed.args:
        raise UsageError
    topic, *words = parsed.args
    payload = payload_of(words, raw="raw" in parsed)
    with connect() as flux:
        returned = _Loopback(flux, topic, payload) if "loopback" in parsed else None
        if "synchronous" in parsed:
            print(f"seq={_publish_and_wait(flux, topic, payload, 'private' in parsed)}")
        else:
            flux.publish(topic, payload, private="private" in parsed)
        if returned is not None:
            returned.wait()


def payload_of(words: list[str], *, raw: bool) -> bytes | None:
    """The payload that the arguments behind the topic are: text ends in NUL, raw bytes do not."""
    if not words:
        return None
    data = os.fsencode(" ".join(words))
    return data if raw else data + b"\0"


def _publish_and_wait(flux: Flux, topic: str, payload: bytes | None, private: bool) -> int:
    request: dict[str, Any] = {"topic": topic, "flags": PRIVATE if private else 0}
    if payload is not None:
        request["payload"] = b64encode(payload).decode()
    try:
        return need_int(flux.rpc("event.publish", request).json, "seq")
    except OSError as exc:
        raise CommandError(f"publish failed: {plain_text(exc)}") from None


class _Loopback:
    """Waits until the event that we publish comes back."""

    def __init__(self, flux: Flux, topic: str, payload: bytes | None) -> None:
        self._flux = flux
        self._expected = (topic, payload)
        self._came = False
        flux.subscribe(topic, self._receive)

    def _receive(self, msg: Message) -> None:
        self._came = self._came or (msg.topic, msg.data) == self._expected

    def wait(self) -> None:
        while not self._came:
            self._flux.process()


def subscribe(parsed: Parsed) -> None:
    """Print the events under some topics, or all events, until interrupted."""
    left = parsed.integer("count", 0)
    lines: list[str] = []
    with connect() as flux:
        # One function for all: an event under two of the topics is one line.
        flux.core.add_event_handler("", lambda msg: lines.append(format_event(msg)))
        for topic in parsed.args or [""]:
            flux.rpc("event.subscribe", {"topic": topic})
        while True:
            while lines:
                print(lines.pop(0), flush=True)
                left -= 1
                if left == 0:
                    return
            flux.process()


def format_event(msg: Message) -> str:
    """The topic and the payload: text as it is, of raw bytes what can be printed."""
    data = msg.data or b""
    if data.endswith(b"\0"):
        text = data.rstrip(b"\0").decode(errors="replace")
    else:
        text = "".join([chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data])
    return f"{msg.topic}\t{text}"


PUB: Final = Command(
    "flux-event pub",
    "[OPTIONS] topic [payload]",
    "Publish an event",
    publish,
    [
        Option("raw", "r", doc="the payload is bytes, not text"),
        Option("synchronous", "s", doc="wait for the event's sequence number and print it"),
        Option("loopback", "l", doc="wait until the event has come back"),
        Option("private", "p", doc="let only the instance owner and ourselves see it"),
    ],
    binary=True,
)
SUB: Final = Command(
    "flux-event sub",
    "[OPTIONS] [topic...]",
    "Print events as they are published",
    subscribe,
    [Option("count", "c", "N", "exit after N events")],
)
EVENT: Final = Group(
    "flux-event",
    "",
    "flux event subcommands",
    {
        "pub": ("fluxcore.cli.event:PUB", "Publish an event"),
        "sub": ("fluxcore.cli.event:SUB", "Print events as they are published"),
    },
)
