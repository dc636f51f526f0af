"""``flux``: finds a command and runs it."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from fluxcore.cli.command import Command, error_text, load, stdout_works
from fluxcore.cli.commands import COMMANDS, SECTIONS
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.help import format_commands
from fluxcore.cli.options import Option, Parsed

_OPTIONS: Final = (
    Option("verbose", "v", doc="say where commands are looked for"),
    Option("version", "V", doc="show versions and exit"),
)


class FluxCommand(Command):
    """``flux`` itself."""

    def __init__(self) -> None:
        super().__init__(
            "flux", "[OPTIONS] COMMAND ARGS", "", self._run, _OPTIONS, ordered=True, binary=True
        )

    def help(self) -> str:
        """The usage line, the options, and the commands by what they are for."""
        sections = [format_commands(*section) for section in SECTIONS]
        more = "See 'flux COMMAND --help' for more about a command.\n"
        return "\n".join([super().help(), *sections, more])

    def _run(self, parsed: Parsed) -> int:
        if "version" in parsed:
            return load(COMMANDS["version"])([])
        if not parsed.args:
            raise UsageError
        name, *args = parsed.args
        if name == "help":
            return self._help(args)
        if name in COMMANDS:
            return load(COMMANDS[name])(args)
        return _run_external(name, args, verbose="verbose" in parsed)

    def _help(self, args: Sequence[str]) -> int:
        if not args:
            sys.stdout.write(self.help())
            return 0
        return self([*args, "--help"])


def _run_external(name: str, args: Sequence[str], *, verbose: bool) -> int:
    """Become the program ``flux-NAME`` on the search path.

    :raises CommandError: there is none, or it cannot be run
    """
    path = search_path(os.environ)
    if verbose:
        print(f"sub-command search path: {':'.join(path)}", flush=True)
    program = find_external(name, path)
    if program is None:
        raise CommandError(f"`{name}' is not a flux command.  See 'flux --help'")
    os.execv(program, [program, *args])  # noqa: S606 - no shell is wanted


def search_path(environ: Mapping[str, str]) -> list[str]:
    """Where commands are looked for that are not built in."""
    names = ("FLUX_EXEC_PATH_PREPEND", "FLUX_EXEC_PATH")
    return [folder for name in names for folder in environ.get(name, "").split(":") if folder]


def find_external(name: str, path: Sequence[str]) -> str | None:
    """The program ``flux-NAME`` in the first folder of ``path`` that has it."""
    for folder in path:
        program = os.path.join(folder, f"flux-{name}")
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return program
    return None


def own_folder_first(path: str, program: str) -> str:
    """PATH as commands and jobs get it: their ``flux`` is the one that is running.

    Nothing changes if it was found on PATH.
    """
    folder = os.path.dirname(program)
    if not folder or not os.path.basename(program).startswith("flux"):
        return path
    folder = os.path.abspath(folder)
    folders = path.split(":") if path else []
    return path if folder in folders else ":".join([folder, *folders])


def main() -> int:
    """The entry point of ``flux``; its exit code."""
    _prepare_standard_files()
    os.environ["PATH"] = own_folder_first(os.environ.get("PATH", ""), sys.argv[0])
    try:
        status = FluxCommand()(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        _discard_output()
        return _die("SIGINT")
    except OSError as exc:
        broken = isinstance(exc, BrokenPipeError) and not stdout_works()
        _discard_output()
        if broken:
            return _die("SIGPIPE")
        sys.stderr.write(f"flux: {error_text(exc)}\n")
        return 1
    return status


def _prepare_standard_files() -> None:
    """Make the standard files fit to be written to.

    The places of those that are closed are filled, lest another file be taken for one of them.
    Text is UTF-8 whatever the locale says, as it is in messages; bytes that came with the
    arguments leave as they came.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        file = getattr(sys, name)
        if file is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it is for good
        elif number:
            file.reconfigure(encoding="utf-8", errors="surrogateescape")


def _discard_output() -> None:
    """Let what is still to be written go nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def _die(name: str) -> int:
    """End as a program does that knows nothing of the signal: the shell sees what happened."""
    import signal

    signum = signal.Signals[name]
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    return 128 + signum


if __name__ == "__main__":
    sys.exit(main())
