"""The shell options of a jobspec: ``attributes.system.shell.options`` (RFC 14, CONTRACTS D21).

Options come from users as any JSON; what is wrong with one is said in flux-core's words and fails
the job. An option that is unknown is ignored, as flux-core does.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from fluxcore.job.fsd import parse_fsd
from fluxcore.shell.errors import ShellError, init_error

#: The most that may go into guest.output, a stream, in bytes: an option may only lower it.
OUTPUT_MAX: Final = 1 << 30
#: The most that may go into guest.input, and how much may by default.
INPUT_MAX: Final = 32 << 20
_INPUT_DEFAULT: Final = 10 << 20
_EXIT_TIMEOUT: Final = 30.0

_SUFFIXES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Where stdout or stderr goes: a file if there is a ``path`` (a template), else the KVS."""

    path: str | None = None
    mode: str = "truncate"
    by_line: bool = True
    label: bool = False


@dataclass(frozen=True, slots=True)
class SignalOptions:
    """A signal that the job gets some seconds before it expires."""

    signum: int = signal.SIGUSR1
    timeleft: float = 60.0


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """The options that mean something here; ``exit_timeout`` None is none."""

    stdout: OutputOptions = OutputOptions()
    stderr: OutputOptions = OutputOptions(by_line=False)
    output_limit: int = OUTPUT_MAX
    output_limit_text: str = "1G"
    input_path: str | None = None
    input_limit: int = _INPUT_DEFAULT
    verbose: int = 0
    pmi: bool = True
    pmi_map: bool = True
    exit_timeout: float | None = _EXIT_TIMEOUT
    exit_on_error: bool = False
    cpu_affinity: str = "on"
    gpu_affinity: str = "on"
    taskmap: tuple[str, str] | None = None
    rlimits: Mapping[str, int] = field(default_factory=dict)
    own_group: bool = True
    signal: SignalOptions | None = None
    env_expand: Mapping[str, str] = field(default_factory=dict)


_DEFAULTS: Final = ShellOptions()


def parse(options: Mapping[str, Any]) -> ShellOptions:
    """The options that ``options`` sets.

    :raises ShellError: one is wrong
    """
    if not options:
        return _DEFAULTS
    stdout, stderr = _output(options)
    limit_text, limit = _output_limit(options)
    input_path, input_limit = _input(options)
    return ShellOptions(
        stdout=stdout,
        stderr=stderr,
        output_limit=limit,
        output_limit_text=limit_text,
        input_path=input_path,
        input_limit=input_limit,
        verbose=_integer(options, "verbose"),
        pmi=_pmi(options),
        pmi_map=not _table(options, "pmi-simple").get("nomap"),
        exit_timeout=_exit_timeout(options.get("exit-timeout")),
        exit_on_error="exit-on-error" in options,
        cpu_affinity=_text(options, "cpu-affinity"),
        gpu_affinity=_text(options, "gpu-affinity"),
        taskmap=_taskmap(options),
        rlimits=_rlimits(options),
        own_group=not _integer(options, "nosetpgrp"),
        signal=_signal(options.get("signal", 0)),
        env_expand=_strings(options, "env-expand"),
    )


def _table(options: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = options.get(key)
    return value if isinstance(value, dict) else {}


def _text(options: Mapping[str, Any], key: str) -> str:
    value = options.get(key)
    return value if isinstance(value, str) else "on"


def _strings(options: Mapping[str, Any], key: str) -> Mapping[str, str]:
    table = _table(options, key)
    return {name: value for name, value in table.items() if isinstance(value, str)}


def _integer(options: Mapping[str, Any], key: str) -> int:
    value = options.get(key, 0)
    if not isinstance(value, int):
        raise ShellError(f"failed to parse attributes.system.shell.{key}")
    return int(value)


# -- output and input -----------------------------------------------------------------------


def _output(options: Mapping[str, Any]) -> tuple[OutputOptions, OutputOptions]:
    output = _table(options, "output")
    mode = output.get("mode", "truncate")
    stdout = _stream(output, "stdout", OutputOptions(mode=mode))
    # stderr goes where stdout goes unless told otherwise; only its buffering is its own.
    inherited = OutputOptions(stdout.path, stdout.mode, False, stdout.label)
    return stdout, _stream(output, "stderr", inherited)


def _stream(
    output: Mapping[str, Any], name: Literal["stdout", "stderr"], default: OutputOptions
) -> OutputOptions:
    table = output.get(name, {})
    if not isinstance(table, dict):
        raise _output_error(name)
    path = table.get("path", default.path)
    label = table.get("label", default.label)
    buffering = table.get("buffer", {})
    if not isinstance(path, str | None) or not isinstance(label, bool):
        raise _output_error(name)
    if not isinstance(buffering, dict) or not isinstance(default.mode, str):
        raise _output_error(name)
    if table.get("type") == "kvs":
        path = None
    kind = buffering.get("type")
    by_line = default.by_line if kind is None else str(kind).lower() != "none"
    return OutputOptions(path, default.mode, by_line, label)


def _output_error(name: str) -> ShellError:
    return init_error("output.config", f"failed to read {name} output options", "output")


def _output_limit(options: Mapping[str, Any]) -> tuple[str, int]:
    limit = _table(options, "output").get("limit", "1G")
    size = _size(limit)
    if not 0 < size <= OUTPUT_MAX:
        raise init_error("output.kvs", f"Invalid KVS output.limit={limit}", "output")
    return str(limit), size


def _input(options: Mapping[str, Any]) -> tuple[str | None, int]:
    table = _table(options, "input")
    limit = table.get("limit", _INPUT_DEFAULT)
    size = _size(limit)
    if not 0 < size <= INPUT_MAX:
        raise init_error("input.util", f"Invalid KVS input.limit={limit}", "input.service")
    stdin = _table(table, "stdin")
    kind, path = stdin.get("type", "service"), stdin.get("path")
    if kind not in ("service", "file"):
        message = f"input.stdin.type={kind} invalid"
        raise init_error("input.service", message, "input.service")
    if kind == "service":
        return None, size
    if not isinstance(path, str):
        message = "path for stdin file input not specified"
        raise init_error("input.file", message, "input.file")
    return path, size


def _size(value: object) -> int:
    """A size in bytes: a number, or text with a suffix; 0 if it is neither."""
    if type(value) is int:
        return value
    text = str(value).lower()
    number, suffix = (text[:-1], text[-1:]) if text[-1:].isalpha() else (text, "")
    try:
        return int(float(number) * _SUFFIXES[suffix])
    except (KeyError, ValueError, OverflowError):
        return 0


# -- the others -----------------------------------------------------------------------------


def _pmi(options: Mapping[str, Any]) -> bool:
    names = options.get("pmi", "simple")
    if not isinstance(names, str):
        raise init_error("pmi-simple", "pmi shell option must be a string", "pmi")
    return any(name in ("simple", "pmi1", "pmi2") for name in names.split(","))


def _exit_timeout(value: object) -> float | None:
    if value is None:
        return _EXIT_TIMEOUT
    try:
        if isinstance(value, str):
            return None if value.lower() == "none" else parse_fsd(value)
        if isinstance(value, int | float) and value >= 0:
            return float(value)
    except ValueError:
        pass  # said below
    message = "exit-timeout is not a valid Flux Standard Duration"
    raise init_error("task-exit", message, "task-exit")


def _taskmap(options: Mapping[str, Any]) -> tuple[str, str] | None:
    if "taskmap" not in options:
        return None
    table = _table(options, "taskmap")
    scheme, value = table.get("scheme"), table.get("value", "")
    if not isinstance(scheme, str) or not isinstance(value, str):
        raise ShellError("failed to parse taskmap shell option")
    return scheme, value


def _rlimits(options: Mapping[str, Any]) -> Mapping[str, int]:
    limits = _table(options, "rlimit")
    for name, value in limits.items():
        if type(value) is not int or name not in RLIMITS:
            message = f"invalid shell option rlimit.{name}={value}"
            raise init_error("rlimit", message, "rlimit")
    return limits


#: The resource limits that may be set, and what prlimit(1) calls each.
RLIMITS: Final[Mapping[str, str]] = {
    "cpu": "cpu",
    "fsize": "fsize",
    "data": "data",
    "stack": "stack",
    "core": "core",
    "nofile": "nofile",
    "ofile": "nofile",
    "as": "as",
    "rss": "rss",
    "nproc": "nproc",
    "memlock": "memlock",
    "msgqueue": "msgqueue",
    "nice": "nice",
    "rtprio": "rtprio",
    "rttime": "rttime",
    "sigpending": "sigpending",
}


def _signal(value: object) -> SignalOptions | None:
    if value == 0 and type(value) is int:
        return None
    if type(value) is int:
        return SignalOptions()
    try:
        if not isinstance(value, dict):
            raise ValueError("no object")
        timeleft = value.get("timeleft", 60.0)
        seconds = parse_fsd(timeleft) if isinstance(timeleft, str) else float(timeleft)
        signum = signal.Signals(value.get("signum", signal.SIGUSR1))
        if seconds < 0:
            raise ValueError("negative")
    except (TypeError, ValueError):
        raise init_error("signal", f"signal={value} is invalid", "signal") from None
    return SignalOptions(signum, seconds)
