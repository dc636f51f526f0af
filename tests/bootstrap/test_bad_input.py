"""Bad input as a user would make it, in a whole instance: a clear error, and the instance lives on.

Every command is tried as ours and, where flux-core is installed, as flux-core's.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fluxcore.wire import constants as c
from fluxcore.wire import rfc3
from fluxcore.wire.message import Message, request
from support.flux_core_instance import find_flux_core
from support.instance import FLUX, Instance, start
from support.jobspecs import make_jobspec
from support.rfc3_server import raw_socket

pytestmark = pytest.mark.slow

SIZE = 4
NOBODY = 65534

#: Runs one command in the instance; its exit code, output and complaint.
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    """After all that it still runs jobs everywhere."""
    with start(SIZE) as made:
        yield made
        assert made.flux("run", "-N4", "echo", "well").stdout == "well\n" * SIZE


@pytest.fixture(params=["ours", pytest.param("flux-core", marks=pytest.mark.interop)])
def run(instance: Instance, request: pytest.FixtureRequest) -> Iterator[Run]:
    """A command of ours or flux-core's; when the test ends, the instance answers."""
    program = FLUX if request.param == "ours" else find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")

    def do(*args: str, stdin: str = "") -> tuple[int, str, str]:
        done = instance.flux(*args, stdin=stdin, program=program)
        return done.returncode, done.stdout, done.stderr

    yield do
    assert do("kvs", "get", "resource.R")[0] == 0


# -- modules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("module load nosuch", "load nosuch: module not found in search path"),
        ("module load kvs", "load kvs: File exists"),
        ("module remove nosuch", "remove nosuch: No such file or directory"),
        ("module reload nosuch", "remove nosuch: No such file or directory"),
    ],
)
def test_a_module_that_is_not_there_or_already_is(run: Run, line: str, text: str) -> None:
    assert run(*line.split()) == (1, "", f"flux-module: {text}\n")


def test_a_module_without_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nosuch.py"
    text = f"flux-module: could not canonicalize module path '{path}': No such file or directory\n"
    assert run("module", "load", str(path)) == (1, "", text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def mod_main(flux, *args)\n    pass\n", "SyntaxError: expected ':' (broken.py, line 1)"),
        ("import nosuch_package\n", "ModuleNotFoundError: No module named 'nosuch_package'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_whose_file_is_wrong(run: Run, tmp_path: Path, source: str, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    code, out, err = run("module", "load", str(path))
    assert (code, out) == (1, "")
    assert err == f"flux-module: load {path}: {text}\n"
    assert "broken" not in run("module", "list")[1]


# -- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("get nosuch.key", "nosuch.key: No such file or directory"),
        ("get resource", "resource: Is a directory"),
        ("ls nosuch", "nosuch: No such file or directory"),
        ("dir nosuch", "nosuch: No such file or directory"),
        ("dir resource.R", "resource.R: Not a directory"),
        ("unlink nosuch", "cannot unlink 'nosuch': No such file or directory"),
        ("unlink resource", "cannot unlink 'resource': Directory not empty"),
        ("put a", "put: you must specify a value as key=value"),
        ("get -N nosuch a", "a: Operation not supported"),
    ],
)
def test_a_key_that_is_not_there_or_is_something_else(run: Run, line: str, text: str) -> None:
    code, out, err = run("kvs", *line.split())
    assert (code, out) == (1, "")
    assert text in err


# -- jobs -----------------------------------------------------------------------------------


def jobspec(**changes: Any) -> str:
    """A jobspec that is right but for ``changes`` of its sections."""
    spec = make_jobspec()
    return json.dumps({key: value for key, value in {**spec, **changes}.items() if value != "gone"})


BAD_JOBSPECS = {
    "version": (jobspec(version=99), "version must be 1"),
    "no tasks": (jobspec(tasks="gone"), "Missing key (tasks)"),
    "unknown section": (jobspec(foo=1), "Extraneous key (foo)"),
    "no resources": (jobspec(resources=[]), "resources must not be empty"),
    "no duration": (
        jobspec(attributes={"system": {}}),
        "attributes.system.duration is a required key",
    ),
    "negative duration": (
        jobspec(attributes={"system": {"duration": -1}}),
        "attributes.system.duration must be >= 0 and finite",
    ),
    "no command": (
        jobspec(tasks=[{"command": [], "slot": "task", "count": {"per_slot": 1}}]),
        "command array cannot have length of zero",
    ),
    "unknown slot": (
        jobspec(tasks=[{"command": ["true"], "slot": "x", "count": {"per_slot": 1}}]),
        "no slot has the label 'x'",
    ),
}


@pytest.mark.parametrize(("spec", "text"), BAD_JOBSPECS.values(), ids=BAD_JOBSPECS)
def test_a_jobspec_that_fails_the_schema(run: Run, spec: str, text: str) -> None:
    assert run("job", "submit", stdin=spec) == (1, "", f"flux-job: {text}\n")


def test_a_jobspec_that_is_nothing_at_all(run: Run, tmp_path: Path) -> None:
    assert run("job", "submit") == (1, "", "flux-job: required jobspec is empty\n")
    path = tmp_path / "nosuch"
    code, out, err = run("job", "submit", str(path))
    assert (code, out) == (1, "")
    assert err.endswith(f"{path}: No such file or directory\n")


def test_a_jobspec_that_is_no_yaml(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("tasks: [1, 2\n")
    code, out, err = run("job", "submit", str(path))
    assert (code, out) == (1, "")
    assert err in (
        f"flux-job: {path}: line 2, column 1: did not find expected ',' or ']'\n",  # ours
        "flux-job: jobspec: invalid JSON: '[' or '{' expected near 'tasks'\n",  # reads JSON only
    )


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["-n1000"], r"need 1000 slot\(s\) of 1 core\(s\), only \d+ such slot\(s\) available .*"),
        (["-N100"], r"need 100 exclusive node\(s\), only 4 eligible"),
        (["-c1000"], r"need 1 slot\(s\) of 1000 core\(s\), only 0 such slot\(s\) available .*"),
    ],
)
def test_more_than_there_is(run: Run, args: list[str], why: str) -> None:
    code, out, err = run("run", *args, "true")
    assert (code, out) == (1, "")
    pattern = rf"[\d.]+s: job.exception ƒ\w+ type=alloc severity=0 unsatisfiable request: {why}\n"
    assert re.match(pattern, err), err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("attach 12345", "flux-job: Failed to attach to 12345: No such job\n"),
        ("attach xx", 'flux-job: error parsing jobid: "xx"\n'),
        ("eventlog 12345", "flux-job: job 12345 not found\n"),
        ("info 12345 R", "flux-job: invalid job id\n"),
        ("raise 12345", "flux-job: raise 12345: unknown job id\n"),
    ],
)
def test_a_job_that_is_not_there(run: Run, line: str, text: str) -> None:
    assert run("job", *line.split()) == (1, "", text)


# -- the socket -----------------------------------------------------------------------------

PING = rfc3.encode(request("broker.ping", {"n": 1}, matchtag=1))
BROKEN = {
    "no protocol of ours": b"GET / HTTP/1.1\r\n\r\n",
    "frame without a header": rfc3.MAGIC + b"\0\0\0\x15" + b"\0" * 21,
    "message beyond all bounds": rfc3.MAGIC + b"\xff\xff\xff\xff",
    "message too large": rfc3.MAGIC + b"\x7f\xff\xff\xff" + b"x" * 4096,
    "frame larger than its message": rfc3.MAGIC + b"\0\0\0\x18\xff\xff\xff\xff\xff" + b"x" * 19,
}


def answers(sock: socket.socket) -> list[Message]:
    """What comes until the broker closes the connection."""
    reader, got = rfc3.Reader(), []
    while data := sock.recv(65536):
        got += reader.feed(data)
    return got


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("rank", [0, SIZE - 1])
def test_broken_bytes_cost_their_sender_the_connection(
    instance: Instance, rank: int, broken: bytes
) -> None:
    """CONTRACTS A1, A3: what came before is answered, the rest is silence."""
    path = instance.rundir / f"local-{rank}"
    with raw_socket(path) as sock, raw_socket(path) as other:
        sock.sendall(PING + broken)
        (answer,) = answers(sock)
        assert (answer.type, answer.json["n"]) == (c.RESPONSE, 1)
        other.sendall(PING)
        other.shutdown(socket.SHUT_WR)
        assert [msg.json["n"] for msg in answers(other)] == [1]
    assert instance.flux("getattr", "size").stdout == f"{SIZE}\n"


#: Our command as another user: Python's own files may be closed to them, so all is read before.
AS_NOBODY = f"""
import os, sys
import fluxcore.cli.attr, fluxcore.cli.connect, fluxcore.handle.blocking
from fluxcore.cli.main import main
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.argv = ["flux", "getattr", "size"]
sys.exit(main())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("command", ["ours", pytest.param("flux-core", marks=pytest.mark.interop)])
def test_another_user_is_shut_out(instance: Instance, command: str) -> None:
    """CONTRACTS A4: by the directory, and where that is open by the connector, which says so."""

    def getattr_size() -> tuple[int, str]:
        argv, options = [sys.executable, "-c", AS_NOBODY], {}
        if command == "flux-core":
            argv = [find_flux_core() or "", "getattr", "size"]
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        env = {**instance.environ, "FLUX_LOCAL_CONNECTOR_RETRY_COUNT": "0"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, **options)
        return done.returncode, done.stderr

    if command == "flux-core" and find_flux_core() is None:
        pytest.skip("flux-core is not installed")
    who = "flux-getattr: Unable to connect to Flux" if command == "ours" else "flux: flux_open"
    assert getattr_size() == (1, f"{who}: Permission denied\n")
    instance.flux("dmesg", "-C")
    instance.rundir.chmod(0o755)
    try:
        assert getattr_size() == (1, f"{who}: Operation not permitted\n")
    finally:
        instance.rundir.chmod(0o700)
    log = instance.flux("dmesg").stdout
    assert f"connector-local.err[0]: client_authenticate: uid={NOBODY} no assigned roles" in log
    assert instance.flux("getattr", "size").stdout == f"{SIZE}\n"
