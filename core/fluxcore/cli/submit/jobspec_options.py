"""The options that ``flux submit`` and ``flux run`` share, and the jobspec that they make."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.signals import parse_signal
from fluxcore.cli.options import Option, Parsed
from fluxcore.cli.submit.environment import Environment
from fluxcore.cli.submit.rlimits import job_rlimits
from fluxcore.job.fsd import parse_fsd
from fluxcore.job.jobspec import Jobspec
from fluxcore.job.jobspec_build import Options, from_command, parse_keyval
from fluxcore.job.sign import wrap
from fluxcore.job.submission import parse_flags, parse_urgency
from fluxcore.resource.idset import IdSet

_SIGNAL_TIME: Final = 60

JOBSPEC_OPTIONS: Final = (
    Option("bank", "B", "BANK", "submit to this bank"),
    Option("queue", "q", "NAME", "submit to this queue"),
    Option("time-limit", "t", "MIN|FSD", "time limit in minutes, or with a unit: 30s, 1.5h, 2d"),
    Option("urgency", "", "N", "urgency: 0 (hold) to 31 (expedite), by default 16"),
    Option("job-name", "", "NAME", "the job's name, by default that of its program"),
    Option("setopt", "o", "OPT", "set a shell option: OPT or OPT=VAL, ^OPT=FILE for JSON"),
    Option("setattr", "S", "ATTR", "set an attribute: ATTR or ATTR=VAL, ^ATTR=FILE for JSON"),
    Option(
        "env",
        "",
        "RULE",
        "which environment variables the job gets: NAME=VALUE sets one, PATTERN takes those that"
        " match from here, -PATTERN removes some, ^FILE reads rules",
    ),
    Option("env-remove", "", "PATTERN", "the same as --env=-PATTERN"),
    Option("env-file", "", "FILE", "the same as --env=^FILE"),
    Option("rlimit", "", "RULE", "which resource limits it gets: NAME, NAME=VALUE or -NAME"),
    Option("input", "", "FILE", "read the job's stdin from a file"),
    Option("output", "", "FILE", "write its stdout to a file"),
    Option("error", "", "FILE", "write its stderr to a file"),
    Option("unbuffered", "u", doc="do not buffer input and output"),
    Option("label-io", "l", doc="put the task's rank before its output"),
    Option("cwd", "", "DIRECTORY", "the job's working directory, by default this one"),
    Option("flags", "", "FLAGS", "comma separated: debug, waitable, novalidate"),
    Option("signal", "", "[SIG][@TIME]", "send SIG (USR1) when TIME (60s) is left"),
    Option("taskmap", "", "SCHEME[:VALUE]", "how tasks go to nodes: block, cyclic[:N], manual:MAP"),
    Option("dry-run", doc="print the jobspec and do not submit it"),
    Option("quiet", doc="do not print the job's id"),
    Option("verbose", "v", doc="say more on stderr; again for more"),
    Option("nodes", "N", "N", "number of nodes"),
    Option("exclusive", "x", doc="with -N, whole nodes"),
    Option("ntasks", "n", "N", "number of tasks"),
    Option("cores-per-task", "c", "N", "cores for each task"),
    Option("gpus-per-task", "g", "N", "GPUs for each task"),
    Option("cores", "", "N", "cores in all (instead of the options for tasks)"),
    Option("tasks-per-node", "", "N", "tasks on each node"),
    Option("tasks-per-core", "", "N", "tasks on each core"),
    Option("gpus-per-node", "", "N", "with -N, GPUs on each node"),
)

_NUMBERS: Final = {
    "ntasks": "ntasks",
    "nodes": "nnodes",
    "cores": "cores",
    "cores-per-task": "cores_per_task",
    "gpus-per-task": "gpus_per_task",
    "tasks-per-node": "tasks_per_node",
    "tasks-per-core": "tasks_per_core",
    "gpus-per-node": "gpus_per_node",
}


def make_jobspec(parsed: Parsed, environ: Mapping[str, str] = os.environ) -> Jobspec:
    """The jobspec for the command and the options given.

    :raises CommandError: they do not go together, or have a value of the wrong form
    """
    try:
        return from_command(parsed.args, _options(parsed, environ))
    except ValueError as exc:
        raise CommandError(str(exc)) from None


def _options(parsed: Parsed, environ: Mapping[str, str]) -> Options:
    environment = Environment(environ, _read_lines)
    environment.apply(env_rules(parsed))
    numbers = {key: _number(parsed, name) for name, key in _NUMBERS.items()}
    return Options(
        **numbers,
        exclusive="exclusive" in parsed,
        duration=parse_time_limit(parsed.text("time-limit")),
        environment={n: v for n, v in environment.variables.items() if _is_text(n + v)},
        env_expand=environment.expand,
        rlimits=job_rlimits(parsed.texts("rlimit")),
        cwd=parsed.text("cwd") or os.getcwd(),
        name=parsed.text("job-name"),
        input=None if input_ranks(parsed) is not None else parsed.text("input"),
        output=parsed.text("output"),
        error=parsed.text("error"),
        label_io="label-io" in parsed,
        unbuffered="unbuffered" in parsed,
        queue=parsed.text("queue"),
        bank=parsed.text("bank"),
        shell_options=dict(_shell_options(parsed)),
        attributes=dict(_keyval("--setattr", text) for text in parsed.texts("setattr")),
    )


def env_rules(parsed: Parsed) -> list[str]:
    """The rules of --env, --env-remove and --env-file in the order given."""
    marks = {"env": "", "env-remove": "-", "env-file": "^"}
    return [marks[name] + (value or "") for name, value in parsed.given if name in marks]


def _is_text(value: str) -> bool:
    """False for bytes that are no UTF-8: JSON has no form for them."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_lines(path: str) -> list[str]:
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return file.readlines()


def _number(parsed: Parsed, name: str) -> int | None:
    text = parsed.text(name)
    try:
        return int(text) if text else None
    except ValueError:
        raise ValueError(f"--{name}: invalid int value '{text}'") from None


def parse_time_limit(text: str | None) -> float | None:
    """A time limit in seconds: a number is minutes, else it is a duration (RFC 23).

    :raises ValueError: it is neither
    """
    if text is None:
        return None
    try:
        return float(text) * 60
    except ValueError:
        return parse_fsd(text)


def input_ranks(parsed: Parsed) -> IdSet | None:
    """The tasks that get our stdin, if --input names tasks and not a file."""
    text = parsed.text("input")
    try:
        return None if text is None else IdSet.decode(text)
    except ValueError:
        return None


def _shell_options(parsed: Parsed) -> Iterator[tuple[str, Any]]:
    signal_text = parsed.text("signal")
    if signal_text is not None:
        yield "signal", parse_signal_option(signal_text)
    taskmap = parsed.text("taskmap")
    if taskmap is not None:
        scheme, _, value = taskmap.partition(":")
        yield "taskmap", {"scheme": scheme, "value": value}
    for text in parsed.texts("setopt"):
        yield _keyval("--setopt", text)


def parse_signal_option(text: str) -> dict[str, Any]:
    """The shell option for ``[SIG][@TIME]``.

    :raises ValueError: there is no such signal, or the time is no duration
    """
    name, _, time_text = text.partition("@")
    signum = parse_signal(name or "USR1")
    if signum is None:
        raise ValueError(f"--signal={text}: signal '{name}' is invalid")
    try:
        left = parse_fsd(time_text) if time_text else _SIGNAL_TIME
    except ValueError as exc:
        raise ValueError(f"--signal={text}: {exc}") from None
    return {"signum": signum, "timeleft": left}


def _keyval(label: str, text: str) -> tuple[str, Any]:
    """A key and its value: JSON if it reads so, else text; of ``^key=FILE`` the file's JSON."""
    if not text.startswith("^"):
        return parse_keyval(text)
    key, _, path = text.lstrip("^").partition("=")
    if not path:
        raise ValueError(f"{label}: {text} names no file")
    try:
        with open(path, encoding="utf-8") as file:
            return key, json.load(file)
    except ValueError as exc:
        raise ValueError(f"{label}: {path}: {exc}") from None


# -- submitting -----------------------------------------------------------------------------


def request_payload(parsed: Parsed, jobspec: Jobspec) -> dict[str, Any]:
    """The payload of job-ingest.submit.

    :raises CommandError: the urgency or a flag is none
    """
    try:
        urgency = parse_urgency(parsed.text("urgency") or "16")
        flags = parse_flags(parsed.texts("flags"))
    except ValueError as exc:
        raise CommandError(str(exc)) from None
    signed = wrap(dump_jobspec(jobspec).encode(), os.getuid())
    return {"J": signed, "urgency": urgency, "flags": flags}


def dump_jobspec(jobspec: Jobspec) -> str:
    """The jobspec as one line of JSON, as ``--dry-run`` prints it."""
    return json.dumps(jobspec, ensure_ascii=False)
