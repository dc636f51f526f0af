"""Jobspecs as people write them: YAML or JSON, with the place of a fault.

YAML is what RFC 14 says it is, with what has no JSON form or could hide something refused:
aliases, a key given twice, tags of one's own, numbers beyond 64 bits. A key is always text,
so an environment variable may be called ``ON``.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson
import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import ReaderError
from yaml.resolver import Resolver

from fluxcore.job.jobspec import Path
from fluxcore.job.jobspec_build import Options, from_command

_MAX_DEPTH: Final = 64
_TAG: Final = "tag:yaml.org,2002:"


#: A plain scalar's tag, by its text and whether it stands without quotes.
_Resolve = Callable[[type[yaml.Node], str, tuple[bool, bool]], str]


class Position(NamedTuple):
    """A place in a text: line and column, both counted from 1."""

    line: int
    column: int


class JobspecSyntaxError(ValueError):
    """A text is neither YAML nor JSON: what is wrong (``text``) and where (``position``)."""

    def __init__(self, text: str, position: Position) -> None:
        super().__init__(f"line {position.line}, column {position.column}: {text}")
        self.text = text
        self.position = position


# -- reading --------------------------------------------------------------------------------


def load_text(text: str) -> Any:
    """The JSON value that ``text`` stands for; it need not be a jobspec.

    :raises JobspecSyntaxError: it is neither YAML nor JSON
    """
    if not text.lstrip().startswith("{"):
        return _Reader(text).value
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        fault = JobspecSyntaxError(exc.msg.partition(":")[0], Position(exc.lineno, exc.colno))
    try:
        return _Reader(text).value  # YAML begins with a brace too: {version: 1}
    except JobspecSyntaxError:
        raise fault from None


def locate(text: str, path: Path) -> Position:
    """Where in ``text`` the value at ``path`` is: its key, or the item of a list.

    A path that leads further than the text goes ends where the text does. This is for the
    ``path`` of a JobspecError, so ``text`` is one that :func:`load_text` has read.
    """
    places = _Reader(text.replace("\t", " ")).places  # to JSON alone a tab is white space
    while path not in places:
        path = path[:-1]
    return places[path]


class _Reader:
    """Makes JSON values of the events of one YAML document.

    The events come without recursion, so the depth is known before it can hurt: PyYAML's own
    composer runs out of stack, in C, on a line of brackets.
    """

    def __init__(self, text: str) -> None:
        self._scalars = SafeConstructor()
        self._tag: _Resolve = Resolver().resolve
        self._events = _events(text)
        self.places: dict[Path, Position] = {}
        self.value = self._document()

    def _document(self) -> Any:
        next(self._events)  # the stream starts
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise JobspecSyntaxError("jobspec is empty", Position(1, 1))
        value = self._value(next(self._events), ())
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _fault("more than one document", after)
        return value

    def _value(self, event: yaml.Event, path: Path) -> Any:
        self.places.setdefault(path, _position(event.start_mark))
        if len(path) > _MAX_DEPTH:
            raise _fault("nested too deeply", event)
        if isinstance(event, yaml.AliasEvent):
            raise _fault("aliases are not supported", event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event)

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise _fault("a key must be text", key)
            if key.value in mapping:
                raise _fault(f"key {key.value} is given twice", key)
            here = (*path, key.value)
            self.places[here] = _position(key.start_mark)
            mapping[key.value] = self._value(next(self._events), here)
        return mapping

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._tag(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value)
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return self._scalars.construct_yaml_bool(node)
            case "int":
                return _number(self._scalars.construct_yaml_int(node), event)
            case "float":
                return _number(self._scalars.construct_yaml_float(node), event)
            case "str" | "timestamp" | "merge" | "value":
                return event.value
        raise _fault(f"tag {tag} is not supported", event)


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise JobspecSyntaxError(exc.problem or "invalid YAML", _position(mark)) from None
    except ReaderError as exc:
        before = text[: exc.position]
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise JobspecSyntaxError(exc.reason, position) from None


def _number(number: float, event: yaml.Event) -> float:
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise _fault("number is too large", event)
    if not math.isfinite(number):
        raise _fault("number is not finite", event)
    return number


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1)


def _fault(text: str, event: yaml.Event) -> JobspecSyntaxError:
    return JobspecSyntaxError(text, _position(event.start_mark))


# -- writing --------------------------------------------------------------------------------


def dump_text(obj: Any) -> str:
    """``obj`` as YAML to read and edit; :func:`load_text` reads the same value back."""
    return yaml.dump(
        obj, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf, indent=2
    )


def template(
    command: list[str], *, cwd: str | None = None, environment: dict[str, str] | None = None
) -> str:
    """A commented YAML jobspec that runs ``command`` in one slot of one core."""
    spec = from_command(command, Options(cwd=cwd, environment=environment or {}))
    if environment is None:
        del spec["attributes"]["system"]["environment"]
    parts = ["# A job: what it needs, what it runs, and how. Saving submits it.\n"]
    parts += [f"{_COMMENTS[key]}{dump_text({key: spec[key]})}" for key in _COMMENTS]
    return "\n".join(parts)


_COMMENTS: Final = {
    "version": "",
    "resources": (
        "# Slots, and what is in each. For nodes, put one around the slot:\n"
        "#   - {type: node, count: 2, with: [{type: slot, ...}]}\n"
    ),
    "tasks": "# One task for each slot; {total: 3} instead of per_slot for another number.\n",
    "attributes": "# The duration is in seconds; 0 is no limit.\n",
}


class _Dumper(yaml.SafeDumper):
    """Block style, but a list of plain values on one line, as a command is best read."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        plain = not any(isinstance(item, list | dict) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain)
