"""A command: its options, its help, and how it ends.

A :class:`Command` lives in a file that is named after it. A :class:`Group` knows the names of
its commands and where they are, and imports only the one that is asked for.
"""

import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

from fluxcore.cli.errors import (
    BadOptionError,
    CommandError,
    MissingArgumentError,
    UnknownOptionError,
    UsageError,
)
from fluxcore.cli.help import format_commands, format_options, terminal_columns
from fluxcore.cli.options import Option, Parsed, parse

_HELP: Final = Option("help", "h", doc="Display this message.")


class Command:
    """One command.

    ``prog`` is what its usage line calls it (``flux-kvs get``, ``flux getattr``), ``usage`` the
    rest of that line, ``about`` what it does. ``run`` does it, and returns the exit code or
    None for success. ``ordered`` commands take what follows their first argument as it is;
    ``binary`` ones take arguments that are no text.
    """

    def __init__(
        self,
        prog: str,
        usage: str,
        about: str,
        run: Callable[[Parsed], int | None],
        options: Sequence[Option] = (),
        *,
        ordered: bool = False,
        binary: bool = False,
    ) -> None:
        self.prog = prog
        self.usage = usage
        self.about = about
        self.run = run
        self.options = (_HELP, *options)
        self.ordered = ordered
        self.binary = binary

    @property
    def name(self) -> str:
        """What its errors begin with: ``flux-kvs``, ``flux-getattr``."""
        words = self.prog.split()
        return "-".join(words[:2]) if words[0] == "flux" else words[0]

    def help(self) -> str:
        """The usage line, what the command does, and its options."""
        about = f"{self.about}\n" if self.about else ""
        options = format_options(self.options, columns=terminal_columns())
        return f"{self.usage_line('Usage')}{about}{options}"

    def usage_line(self, word: str) -> str:
        """How it is called, behind ``word``."""
        return f"{word}: {self.prog} {self.usage}".rstrip() + "\n"

    def __call__(self, args: Sequence[str]) -> int:
        """Do what ``args`` say; the exit code. What is wrong is written to stderr."""
        try:
            parsed = self.parse(args)
            if "help" in parsed:
                sys.stdout.write(self.help())
                return 0
            if not self.binary:
                _check_text(args)
            return self.run(parsed) or 0
        except BadOptionError as exc:
            return fail(*self.bad_option(exc))
        except UsageError as exc:
            return fail((f"{self.prog}: {exc.text}\n" if exc.text else "") + self.help())
        except CommandError as exc:
            return fail(self.error(exc.text) if exc.text else "", exc.status)
        except OSError as exc:
            if isinstance(exc, BrokenPipeError) and not stdout_works():
                raise
            return fail(self.error(error_text(exc)))

    def parse(self, args: Sequence[str]) -> Parsed:
        """What ``args`` say.

        :raises BadOptionError: an option is unknown or lacks its argument
        """
        return parse(self.options, args, ordered=self.ordered)

    def bad_option(self, exc: BadOptionError) -> tuple[str, int]:
        """What is written of a bad option, and the exit code."""
        unknown = isinstance(exc, UnknownOptionError)
        hint = f"Try `{self.prog} --help' for more information.\n" if unknown else ""
        return f"{self.prog}: {exc.text}\n{hint}", 1

    def error(self, text: str) -> str:
        """What is written of a failure."""
        return f"{self.name}: {text}\n"


class Group(Command):
    """A command of commands: ``commands`` has where each is (``module:NAME``) and what it does."""

    def __init__(
        self, prog: str, about: str, heading: str, commands: Mapping[str, tuple[str, str]]
    ) -> None:
        super().__init__(prog, "COMMAND [OPTIONS]", about, self._run, ordered=True, binary=True)
        self.heading = heading
        self.commands = commands

    def help(self) -> str:
        """The usage line and the commands."""
        commands = [(name, about) for name, (_, about) in self.commands.items()]
        return f"{super().help()}\n{format_commands(self.heading, commands)}"

    def _run(self, parsed: Parsed) -> int:
        if not parsed.args:
            raise UsageError("missing subcommand")
        name, *args = parsed.args
        if name not in self.commands:
            raise UsageError(f"Unknown subcommand: {name}")
        return load(self.commands[name][0])(args)


def load(where: str) -> Command:
    """The command at ``module:NAME``."""
    module, _, name = where.partition(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, Command)
    return command


class ReportCommand(Command):
    """A command that flux-core has in Python: it takes no shortened options and reports errors so.

    ``flux-submit: ERROR: text``
    """

    def help(self) -> str:
        """The usage line, what the command does, and its options."""
        options = format_options(self.options, columns=terminal_columns(), column=31)
        return f"{self.usage_line('usage')}\n{self.about}\n\noptions:\n{options}"

    def parse(self, args: Sequence[str]) -> Parsed:
        """What ``args`` say by argparse's rules."""
        return parse(self.options, args, ordered=self.ordered, like_argparse=True)

    def bad_option(self, exc: BadOptionError) -> tuple[str, int]:
        """What is written of a bad option, and the exit code."""
        text = exc.text
        if isinstance(exc, UnknownOptionError):
            text = f"unrecognized arguments: {exc.option}"
        elif isinstance(exc, MissingArgumentError):
            text = f"argument {self._forms(exc.option)}: expected one argument"
        return f"{self.usage_line('usage')}{self.prog}: error: {text}\n", 2

    def _forms(self, given: str) -> str:
        """Both forms of an option that was given in one of them."""
        for option in self.options:
            short, long = f"-{option.key}", f"--{option.name}"
            if option.key and given in (short, long):
                return f"{short}/{long}"
        return given

    def error(self, text: str) -> str:
        """What is written of a failure."""
        return f"{self.name}: ERROR: {text}\n"


def fail(text: str, status: int = 1) -> int:
    """Write ``text`` to stderr, behind what was printed; ``status``."""
    sys.stdout.flush()
    sys.stderr.write(text)
    return status


def error_text(exc: OSError) -> str:
    """What went wrong, and with which file if it was a file."""
    text = exc.strerror or str(exc)
    return f"{exc.filename}: {text}" if exc.filename is not None else text


def plain_text(exc: OSError) -> str:
    """The errno's own words, for places where flux-core leaves the service's text out."""
    return os.strerror(exc.errno) if exc.errno else str(exc)


def stdout_works() -> bool:
    """False if stdout is a pipe that nobody reads any more."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(0))


def _check_text(args: Sequence[str]) -> None:
    for arg in args:
        try:
            arg.encode()
        except UnicodeEncodeError:
            raise CommandError("an argument is not valid UTF-8") from None
