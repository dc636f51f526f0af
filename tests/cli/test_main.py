"""``flux`` as a process: how it finds commands and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fluxcore.cli.main import find_external, own_folder_first, search_path
from support.flux_core_instance import OURS


def make_command(folder: Path, name: str, text: str = "#!/bin/sh\necho $0 $*\nexit 7\n") -> Path:
    program = folder / f"flux-{name}"
    program.write_text(text)
    program.chmod(0o755)
    return program


def test_an_unknown_command_is_refused(run_flux):
    done = run_flux("nosuch")
    assert done.returncode == 1
    assert done.stderr == "flux: `nosuch' is not a flux command.  See 'flux --help'\n"


def test_without_a_command_there_is_help_and_failure(run_flux):
    done = run_flux()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Usage: flux [OPTIONS] COMMAND ARGS\n")


def test_help_lists_commands_and_asks_a_command_for_its_own(run_flux):
    done = run_flux("--help")
    assert done.returncode == 0
    assert "   jobs            list jobs\n" in done.stdout
    assert run_flux("help").stdout == done.stdout
    assert run_flux("help", "ping").stdout == run_flux("ping", "--help").stdout


def test_other_programs_are_commands_too(run_flux, tmp_path):
    program = make_command(tmp_path, "hello")
    done = run_flux("hello", "-x", "world", env={"FLUX_EXEC_PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (7, f"{program} -x world\n")


def test_a_built_in_command_is_not_replaced(run_flux, tmp_path):
    make_command(tmp_path, "version")
    done = run_flux("version", env={"FLUX_EXEC_PATH_PREPEND": str(tmp_path)})
    assert done.stdout.startswith("commands:")


def test_folders_are_searched_in_order_and_only_for_programs(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    (first / "flux-x").write_text("not executable")
    program = make_command(second, "x")
    path = search_path({"FLUX_EXEC_PATH": f"{second}:", "FLUX_EXEC_PATH_PREPEND": str(first)})
    assert path == [str(first), str(second)]
    assert find_external("x", path) == str(program)
    assert find_external("y", path) is None


@pytest.mark.parametrize(
    ("path", "program", "expected"),
    [
        ("/usr/bin:/bin", "flux", "/usr/bin:/bin"),
        ("/usr/bin", "/opt/flux/bin/flux", "/opt/flux/bin:/usr/bin"),
        ("/usr/bin:/opt/flux/bin", "/opt/flux/bin/flux", "/usr/bin:/opt/flux/bin"),
        ("", "/opt/bin/flux", "/opt/bin"),
        ("/usr/bin", "/tmp/pytest", "/usr/bin"),
    ],
)
def test_the_flux_that_runs_is_the_one_that_its_children_find(path, program, expected):
    assert own_folder_first(path, program) == expected


def test_outside_an_instance_a_command_says_so(run_flux):
    done = run_flux("kvs", "get", "a")
    text = "flux-kvs: Unable to connect to Flux: no broker to connect to: FLUX_URI is not set\n"
    assert (done.returncode, done.stderr) == (1, text)
    done = run_flux("getattr", "rank", env={"FLUX_URI": "local:///nosuch"})
    text = "flux-getattr: Unable to connect to Flux: broker socket /nosuch was not found\n"
    assert (done.returncode, done.stderr) == (1, text)


# -- how it ends ----------------------------------------------------------------------------


def start_id() -> "subprocess.Popen[bytes]":
    """``flux job id``, which reads lines and answers each: a command that can be kept waiting."""
    return subprocess.Popen(
        [OURS, "job", "id", "--to=hex"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def ask(process: "subprocess.Popen[bytes]") -> bytes:
    """Give it a line; its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"255\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_a_reader_that_goes_away_ends_it_as_any_program():
    with start_id() as process:
        assert ask(process) == b"0xff\n"
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _out, err = process.communicate(b"255\n", timeout=10)
    assert (process.returncode, err) == (-signal.SIGPIPE, b"")


def test_an_interrupt_ends_it_as_any_program():
    with start_id() as process:
        assert ask(process) == b"0xff\n"
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (-signal.SIGINT, b"")


def test_a_full_disk_is_no_success(run_flux):
    with open("/dev/full", "w") as full:
        done = run_flux("version", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 1
    assert done.stderr in (
        "flux: No space left on device\n",
        "flux-version: No space left on device\n",
    )


def test_closed_standard_files_do_no_harm():
    script = f"exec {OURS} job id --to=hex 255 <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", script], check=False, timeout=30).returncode == 0


def test_text_is_utf_8_whatever_the_locale_says(run_flux):
    env = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = run_flux("job", "id", "--to=emoji", "1234567", env=env, text=False)
    assert done.stdout == "😆🎹🍀\n".encode()


def test_bytes_in_arguments_come_back_as_they_were(run_flux):
    done = run_flux("a\udcff", text=False)
    assert done.stderr == b"flux: `a\xff' is not a flux command.  See 'flux --help'\n"


# -- what it costs to start -----------------------------------------------------------------

_FORBIDDEN = ("asyncio", "zmq", "msgpack", "textual", "rich", "yaml", "argparse", "subprocess")
_PROBE = """
import sys
from fluxcore.cli.command import load, Group
from fluxcore.cli.commands import COMMANDS
import fluxcore.cli.main
for name, where in COMMANDS.items():
    if name not in ("start", "broker"):
        command = load(where)
        for inner, _ in getattr(command, "commands", {}).values():
            load(inner)
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""


def test_no_command_imports_what_only_brokers_and_consoles_need():
    command = [sys.executable, "-c", _PROBE, *_FORBIDDEN]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == []


_SMALL = (
    "attr:GETATTR",
    "module.list:LIST",
    "event:PUB",
    "ping:PING",
    "job.last:LAST",
    "dmesg:DMESG",
)


@pytest.mark.parametrize("where", _SMALL)
def test_a_small_command_imports_nothing_that_takes_long(where):
    probe = (
        "import sys; from fluxcore.cli.main import main; from fluxcore.cli.command import load\n"
        f"load('fluxcore.cli.{where}')\n"
        "print(*[name for name in sys.argv[1:] if name in sys.modules])"
    )
    slow = ("orjson", "dataclasses", "inspect", "urllib.parse", "tempfile", "logging", "pathlib")
    command = [sys.executable, "-c", probe, *slow]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == []
