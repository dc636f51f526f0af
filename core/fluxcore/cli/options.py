"""Options of a command: a table of them, and what the user gave.

The rules are getopt_long's, which flux-core's commands have from C: options may stand anywhere,
``--`` ends them, short ones may be gathered (``-lF``), a long one may be shortened as long as
it is clear which is meant, ``-n4``, ``-n 4``, ``--ntasks=4`` and ``--ntasks 4`` are the same. An
optional argument must be attached: ``--color=always``. argparse has other rules for each of
these, and its import costs as much as the rest of a small command.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from fluxcore.cli.errors import BadOptionError, MissingArgumentError, UnknownOptionError

_INT_LIMIT: Final = 2**31


class Option:
    """One option: ``-k, --name=ARG`` and what it is for.

    ``arg`` names its argument; without it the option takes none. ``optional`` lets the
    argument be left out; behind the short form it can then only be given if ``attached``.
    """

    __slots__ = ("arg", "attached", "doc", "key", "name", "optional")

    def __init__(
        self,
        name: str,
        key: str = "",
        arg: str = "",
        doc: str = "",
        *,
        optional: bool = False,
        attached: bool = False,
    ) -> None:
        self.name = name
        self.key = key
        self.arg = arg
        self.doc = doc
        self.optional = optional
        self.attached = attached


class Parsed:
    """What the user gave: arguments, and options by their long name.

    :raises BadOptionError: (by the methods that read a value) it is of the wrong form
    """

    __slots__ = ("args", "given")

    def __init__(self) -> None:
        self.args: list[str] = []
        #: The options in the order in which they were given.
        self.given: list[tuple[str, str | None]] = []

    def add(self, name: str, value: str | None) -> None:
        """Note that an option was given (called by what parses)."""
        self.given.append((name, value))

    def __contains__(self, name: str) -> bool:
        return any(given == name for given, _ in self.given)

    def count(self, name: str) -> int:
        """How often the option was given."""
        return sum(given == name for given, _ in self.given)

    def texts(self, name: str) -> list[str]:
        """The arguments of an option that may be given more than once."""
        return [value for given, value in self.given if given == name and value is not None]

    def text(self, name: str) -> str | None:
        """The option's last argument, or None."""
        values = self.texts(name)
        return values[-1] if values else None

    def integer(self, name: str, default: int) -> int:
        """The option's argument as a number; of one without, how often it was given."""
        if name not in self:
            return default
        text = self.text(name)
        if text is None:
            return self.count(name)
        value = _integer(text)
        if value is None:
            raise BadOptionError(f"Option '{name}' requires an integer argument")
        return value

    def number(self, name: str, default: float) -> float:
        """The option's argument as a number that may have a fraction."""
        if name not in self:
            return default
        try:
            return float(self.text(name) or "")
        except ValueError:
            text = f"Option '{name}' requires a floating point argument"
            raise BadOptionError(text) from None

    def duration(self, name: str, default: float) -> float:
        """The option's argument in seconds (RFC 23)."""
        from fluxcore.job.fsd import parse_fsd

        text = self.text(name)
        if text is None:
            return default
        try:
            return parse_fsd(text)
        except ValueError:
            message = f"Invalid argument for option '{name}': '{text}'"
            raise BadOptionError(message) from None

    def color(self, name: str = "color") -> bool:
        """Whether to write colours: as --color=WHEN says, else if stdout is a terminal."""
        when = "never" if os.environ.get("NO_COLOR") else "auto"
        if name in self:
            when = self.text(name) or "always"
        if when not in ("always", "never", "auto"):
            raise BadOptionError(f"Invalid argument to --{name}: '{when}'")
        return when == "always" or (when == "auto" and sys.stdout.isatty())


def _integer(text: str) -> int | None:
    try:
        value = int(text)
    except ValueError:
        return None
    return value if -_INT_LIMIT <= value < _INT_LIMIT else None


def parse(
    table: Sequence[Option],
    args: Sequence[str],
    *,
    ordered: bool = False,
    like_argparse: bool = False,
) -> Parsed:
    """What ``args`` say.

    :param ordered: the first argument that is no option ends the options: what follows belongs
        to another command
    :param like_argparse: long options must be in full, and an optional argument may stand apart
    :raises BadOptionError: an option is unknown, or lacks its argument
    """
    parsed = Parsed()
    rest = list(reversed(args))
    while rest:
        arg = rest.pop()
        if arg == "--":
            break
        if arg.startswith("--"):
            _parse_long(parsed, table, arg, rest, like_argparse)
        elif arg.startswith("-") and arg != "-":
            _parse_short(parsed, table, arg, rest, like_argparse)
        else:
            parsed.args.append(arg)
            if ordered:
                break
    parsed.args += reversed(rest)
    return parsed


def _parse_long(
    parsed: Parsed, table: Sequence[Option], arg: str, rest: list[str], like_argparse: bool
) -> None:
    name, equals, value = arg[2:].partition("=")
    option = _find(table, name, shortened=not like_argparse)
    if option is None or (equals and not option.arg):
        raise UnknownOptionError(arg)
    if equals:
        parsed.add(option.name, value)
    elif option.arg and not option.optional:
        parsed.add(option.name, _take(rest, arg))
    else:
        parsed.add(option.name, _take_apart(option, rest) if like_argparse else None)


def _find(table: Sequence[Option], name: str, *, shortened: bool) -> Option | None:
    """The option of that name, or the only one whose name begins so."""
    found = [option for option in table if option.name.startswith(name)]
    for option in found:
        if option.name == name:
            return option
    return found[0] if shortened and len(found) == 1 else None


def _parse_short(
    parsed: Parsed, table: Sequence[Option], arg: str, rest: list[str], like_argparse: bool
) -> None:
    for at in range(1, len(arg)):
        option = next((option for option in table if option.key == arg[at]), None)
        if option is None:
            raise UnknownOptionError(f"-{arg[at]}")
        left = arg[at + 1 :]
        if option.arg and (option.attached if option.optional else True):
            value = left or (None if option.optional else _take(rest, f"-{option.key}"))
            if value is None and like_argparse:
                value = _take_apart(option, rest)
            parsed.add(option.name, value)
            return
        parsed.add(option.name, None)


def _take_apart(option: Option, rest: list[str]) -> str | None:
    """The argument behind an option that may have one, unless it looks like another option."""
    return rest.pop() if option.arg and rest and not rest[-1].startswith("-") else None


def _take(rest: list[str], option: str) -> str:
    if not rest:
        raise MissingArgumentError(option)
    return rest.pop()
