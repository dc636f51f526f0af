"""What is asked before something is done."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fluxcore.handle.aio import Flux


class Command(Protocol):
    """An operation that has an equivalent command."""

    def command(self, own_rank: int) -> str:
        """The command for a shell that is attached to rank ``own_rank``."""

    async def run(self, flux: Flux) -> Any:
        """Do it."""


@dataclass(frozen=True, slots=True)
class Field:
    """Something to type: its name, what it is for, and what stands there at first."""

    name: str
    hint: str
    value: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be done.

    ``build`` makes the operation from what is typed and raises ValueError if it cannot;
    ``type_name`` must be typed before anything is done, if it is not empty; ``doing`` is shown
    meanwhile.
    """

    title: str
    build: Callable[[Mapping[str, str]], Command]
    doing: str
    note: str = ""
    fields: tuple[Field, ...] = ()
    type_name: str = ""


def number(typed: str) -> int:
    """A number that is not negative, in decimal or with a prefix such as ``0x``.

    :raises ValueError: it is none
    """
    try:
        value = int(typed, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise ValueError(f"{typed or 'nothing'} is no number")
    return value


def arguments(typed: str) -> tuple[str, ...]:
    """The words of a line of arguments, as a shell takes it apart.

    :raises ValueError: a quote is not closed
    """
    try:
        return tuple(shlex.split(typed))
    except ValueError as exc:
        raise ValueError(f"arguments: {exc}") from None
