"""What the header says."""

from dataclasses import dataclass

from fluxtop.cells import Cell, Span
from fluxtop.data.connection import Connection, Phase
from fluxtop.data.instance import Instance, State
from fluxtop.data.trouble import Trouble
from fluxtop.durations import age, duration
from fluxtop.glyphs import Glyphs, role_of


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the header is made of; what is not known yet is None.

    ``beat`` is when the last heartbeat came, ``trouble`` why the broker does not say how it is
    although we are connected, ``embedded`` is true for an instance that the
    console has started itself.
    """

    connection: Connection
    instance: Instance | None = None
    state: State | None = None
    beat: float | None = None
    trouble: Trouble | None = None
    embedded: bool = False
    read_only: bool = False


def left(facts: HeaderFacts, now: float, glyphs: Glyphs) -> Cell:
    """The instance: the most important first, for a narrow terminal cuts the rest."""
    parts: list[list[Span]] = []
    trouble = facts.trouble if facts.connection.up else facts.connection.trouble
    if trouble is not None:
        parts.append([(str(trouble), "bad")])
    if facts.instance is not None:
        parts.append(_size(facts.instance))
    if facts.state is not None:
        parts.append([(facts.state.word, "good" if facts.state.word == "run" else "warn")])
    if facts.instance is not None and facts.instance.started is not None:
        until = now if facts.connection.up else (facts.connection.seen or now)
        parts.append([("up ", "dim"), (duration(until - facts.instance.started), "plain")])
    if facts.embedded:
        parts.append([("embedded, ends with fluxtop", "info")])
    parts.append([(facts.connection.uri, "dim")])
    if facts.instance is not None:
        path = f" {facts.instance.jobid_path}" if facts.instance.depth else ""
        parts.append([(f"depth {facts.instance.depth}{path}", "dim")])
        if facts.instance.version:
            parts.append([(f"flux {facts.instance.version}", "dim")])
    spans: list[Span] = [(" fluxtop ", "strong")]
    for part in parts:
        spans += [(f" {glyphs.dot} ", "dim"), *part]
    return tuple(spans)


def _size(instance: Instance) -> list[Span]:
    brokers = "broker" if instance.size == 1 else "brokers"
    spans: list[Span] = [(f"{instance.size} {brokers}", "key")]
    if instance.rank:
        spans.append((f" from rank {instance.rank}", "warn"))
    return spans


def right(facts: HeaderFacts, now: float, glyphs: Glyphs) -> Cell:
    """The connection, and what shows that the instance lives."""
    spans: list[Span] = []
    if facts.read_only:
        spans.append(("read-only  ", "warn"))
    connection = facts.connection
    if connection.up:
        if facts.beat is not None:
            spans += [(f"{glyphs.heart} ", "bad"), (f"{age(now - facts.beat)}  ", "plain")]
        if facts.trouble is not None:
            spans.append((f"{glyphs.state('lost')} not answering", "bad"))
            return (*spans, (" ", "plain"))
        if facts.state is not None:
            spans.append((f"{facts.state.latency * 1000:.1f} ms  ", "dim"))
    spans += _phase(connection, now, glyphs)
    return (*spans, (" ", "plain"))


def _phase(connection: Connection, now: float, glyphs: Glyphs) -> list[Span]:
    word = connection.phase.value
    if connection.seen is not None and not connection.up:
        spans: list[Span] = [
            (f"{glyphs.state('lost')} lost {age(now - connection.seen)} ago", "bad")
        ]
        if connection.retry_at is not None:
            return [*spans, (f", retry in {age(connection.retry_at - now)}", "warn")]
        return [*spans, (f", {word}", "warn")]
    role = "bad" if connection.phase in (Phase.WAITING, Phase.FAILED) else role_of(word)
    return [(f"{glyphs.state(word)} {word}", role)]
