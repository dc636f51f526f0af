import errno
import os

import pytest

from fluxcore.cli.command import Command, Group, ReportCommand, error_text, load
from fluxcore.cli.commands import COMMANDS, SECTIONS
from fluxcore.cli.errors import BadOptionError, CommandError, UsageError
from fluxcore.cli.options import Option, Parsed


def raising(exc: BaseException, kind: type[Command] = Command) -> Command:
    def run(_parsed: Parsed) -> None:
        raise exc

    return kind("flux-kvs get", "key", "Print a value", run, [Option("raw", "r", doc="as it is")])


HELP = (
    "Usage: flux-kvs get key\nPrint a value\n"
    "  -h, --help             Display this message.\n"
    "  -r, --raw              as it is\n"
)


def test_help_goes_to_stdout_and_is_no_failure(capsys):
    assert raising(AssertionError())(["--help", "x"]) == 0
    assert capsys.readouterr() == (HELP, "")


@pytest.mark.parametrize(
    ("exc", "status", "stderr"),
    [
        (CommandError("a: No such file"), 1, "flux-kvs: a: No such file\n"),
        (CommandError("x", status=3), 3, "flux-kvs: x\n"),
        (CommandError(""), 1, ""),
        (UsageError(), 1, HELP),
        (UsageError("missing subcommand"), 1, "flux-kvs get: missing subcommand\n" + HELP),
        (BadOptionError("Option 'x' is bad"), 1, "flux-kvs get: Option 'x' is bad\n"),
        (OSError(errno.EPERM, "not yours"), 1, "flux-kvs: not yours\n"),
        (FileNotFoundError(2, "No such file", "spec"), 1, "flux-kvs: spec: No such file\n"),
    ],
)
def test_a_failure_is_told_in_flux_cores_words(exc, status, stderr, capsys):
    assert raising(exc)([]) == status
    assert capsys.readouterr() == ("", stderr)


def test_an_unknown_option_comes_with_a_hint(capsys):
    assert raising(AssertionError())(["-x"]) == 1
    assert capsys.readouterr().err == (
        "flux-kvs get: unrecognized option '-x'\nTry `flux-kvs get --help' for more information.\n"
    )


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-x"], "unrecognized arguments: -x"),
        (["--raw=1"], "unrecognized arguments: --raw=1"),
    ],
)
def test_commands_that_flux_core_has_in_python_report_as_argparse_does(args, text, capsys):
    assert raising(AssertionError(), ReportCommand)(args) == 2
    assert capsys.readouterr().err == f"usage: flux-kvs get key\nflux-kvs get: error: {text}\n"


def test_such_commands_mark_their_errors(capsys):
    assert raising(CommandError("no"), ReportCommand)([]) == 1
    assert capsys.readouterr().err == "flux-kvs: ERROR: no\n"


def test_an_argument_that_is_no_text_is_refused_unless_bytes_are_welcome(capsys):
    odd = os.fsdecode(b"a\xff")
    seen: list[str] = []
    for binary in (False, True):
        run = Command("flux x", "", "", lambda p: seen.extend(p.args), binary=binary)
        assert run([odd]) == (0 if binary else 1)
    assert seen == [odd]
    assert capsys.readouterr().err == "flux-x: an argument is not valid UTF-8\n"


def test_errors_are_named_by_the_command():
    assert Command("flux getattr", "", "", print).name == "flux-getattr"
    assert Command("flux overlay status", "", "", print).name == "flux-overlay"
    assert Command("flux-job attach", "", "", print).name == "flux-job"


def test_a_group_runs_the_command_that_is_asked_for(capsys):
    group = Group("flux-job", "", "Commands", {"id": ("fluxcore.cli.job.id:ID", "Convert ids")})
    assert group(["id", "--to=hex", "1234567"]) == 0
    assert capsys.readouterr().out == "0x12d687\n"


@pytest.mark.parametrize(
    ("args", "text"), [([], "missing subcommand"), (["zz"], "Unknown subcommand: zz")]
)
def test_a_group_says_what_it_has(args, text, capsys):
    group = Group("flux-job", "", "Commands", {"id": ("fluxcore.cli.job.id:ID", "Convert ids")})
    assert group(args) == 1
    assert capsys.readouterr().err == (
        f"flux-job: {text}\nUsage: flux-job COMMAND [OPTIONS]\n"
        "  -h, --help             Display this message.\n\nCommands:\n"
        "   id              Convert ids\n"
    )


def test_an_error_of_a_file_names_the_file():
    assert error_text(OSError(2, "No such file", "x")) == "x: No such file"
    assert error_text(OSError(2, "text of a service")) == "text of a service"


@pytest.mark.parametrize("where", sorted(COMMANDS.values()))
def test_every_command_is_where_the_table_says_and_helps(where, capsys):
    command = load(where)
    assert command(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.lower().startswith("usage: flux")
    if isinstance(command, Group):
        for name, (inner, _about) in command.commands.items():
            assert load(inner)(["--help"]) == 0
            assert name in capsys.readouterr().out.partition("\n")[0]


def test_every_command_but_small_ones_is_in_the_overview():
    listed = {name for _, commands in SECTIONS for name, _ in commands}
    assert listed | {"broker", "lsattr", "setattr"} == set(COMMANDS)
