"""Shell options: what they mean, and what is said of those that are wrong."""

import signal
from typing import Any

import pytest

from fluxcore.shell.errors import ERROR, Complaint, ShellError
from fluxcore.shell.options import OutputOptions, ShellOptions, SignalOptions, parse


def test_without_options_everything_has_its_default() -> None:
    assert parse({}) == ShellOptions()
    assert parse({}).stdout.by_line
    assert not parse({}).stderr.by_line
    assert parse({}).exit_timeout == 30.0
    assert parse({}).pmi


def test_an_unknown_option_is_ignored() -> None:
    assert parse({"nosuchopt": 1}) == ShellOptions()


def test_stderr_goes_where_stdout_goes_unless_told_otherwise() -> None:
    output = {"stdout": {"type": "file", "path": "out"}, "mode": "append"}
    options = parse({"output": output})
    assert options.stdout == OutputOptions("out", "append", True, False)
    assert options.stderr == OutputOptions("out", "append", False, False)
    output["stderr"] = {"type": "kvs"}
    assert parse({"output": output}).stderr.path is None


def test_buffering_and_labels_are_taken_by_stream() -> None:
    stderr = {"path": "err", "label": True, "buffer": {"type": "line"}}
    options = parse({"output": {"stdout": {"buffer": {"type": "NONE"}}, "stderr": stderr}})
    assert not options.stdout.by_line
    assert options.stderr == OutputOptions("err", "truncate", True, True)


@pytest.mark.parametrize(
    ("limit", "size"), [("10M", 10 << 20), (1000, 1000), ("1G", 1 << 30), ("0.5k", 512)]
)
def test_an_output_limit_is_a_number_or_has_a_suffix(limit: object, size: int) -> None:
    options = parse({"output": {"limit": limit}})
    assert options.output_limit == size
    assert options.output_limit_text == str(limit)


@pytest.mark.parametrize(
    ("value", "enabled"), [("simple", True), ("pmi2,simple", True), ("off", False), ("pmix", False)]
)
def test_pmi_is_on_unless_another_kind_is_asked_for(value: str, enabled: bool) -> None:
    assert parse({"pmi": value}).pmi is enabled


@pytest.mark.parametrize(
    ("value", "seconds"), [("none", None), ("NONE", None), ("1m", 60.0), (3, 3.0), (0.5, 0.5)]
)
def test_an_exit_timeout_is_a_duration_or_none(value: object, seconds: float | None) -> None:
    assert parse({"exit-timeout": value}).exit_timeout == seconds


def test_a_signal_has_a_number_and_a_time() -> None:
    assert parse({"signal": 0}).signal is None
    assert parse({"signal": 1}).signal == SignalOptions()
    told = parse({"signal": {"signum": 12, "timeleft": "2m"}}).signal
    assert told == SignalOptions(signal.SIGUSR2, 120.0)


def test_other_options_are_taken_as_they_are() -> None:
    options = parse(
        {
            "verbose": 2,
            "exit-on-error": 1,
            "nosetpgrp": 1,
            "cpu-affinity": "per-task",
            "taskmap": {"scheme": "cyclic", "value": "2"},
            "rlimit": {"nofile": 100},
            "env-expand": {"A": "{{id}}", "B": 3},
            "input": {"stdin": {"type": "file", "path": "in"}},
            "pmi-simple": {"nomap": 1},
        }
    )
    assert options.verbose == 2
    assert options.exit_on_error
    assert not options.own_group
    assert options.cpu_affinity == "per-task"
    assert options.taskmap == ("cyclic", "2")
    assert options.rlimits == {"nofile": 100}
    assert options.env_expand == {"A": "{{id}}"}
    assert options.input_path == "in"
    assert not options.pmi_map


@pytest.mark.parametrize(
    ("options", "component", "message", "plugin"),
    [
        (
            {"exit-timeout": "zz"},
            "task-exit",
            "exit-timeout is not a valid Flux Standard Duration",
            "task-exit",
        ),
        (
            {"exit-timeout": -1},
            "task-exit",
            "exit-timeout is not a valid Flux Standard Duration",
            "task-exit",
        ),
        ({"output": {"limit": "2G"}}, "output.kvs", "Invalid KVS output.limit=2G", "output"),
        ({"output": {"limit": "x"}}, "output.kvs", "Invalid KVS output.limit=x", "output"),
        (
            {"output": {"stdout": {"path": 3}}},
            "output.config",
            "failed to read stdout output options",
            "output",
        ),
        (
            {"output": {"stderr": "x"}},
            "output.config",
            "failed to read stderr output options",
            "output",
        ),
        (
            {"input": {"stdin": {"type": "foo"}}},
            "input.service",
            "input.stdin.type=foo invalid",
            "input.service",
        ),
        (
            {"input": {"stdin": {"type": "file"}}},
            "input.file",
            "path for stdin file input not specified",
            "input.file",
        ),
        (
            {"input": {"limit": "64M"}},
            "input.util",
            "Invalid KVS input.limit=64M",
            "input.service",
        ),
        ({"pmi": 3}, "pmi-simple", "pmi shell option must be a string", "pmi"),
        ({"rlimit": {"foo": 1}}, "rlimit", "invalid shell option rlimit.foo=1", "rlimit"),
        ({"signal": {"timeleft": "x"}}, "signal", "signal={'timeleft': 'x'} is invalid", "signal"),
    ],
)
def test_a_wrong_option_is_said_as_flux_core_says_it(
    options: dict[str, Any], component: str, message: str, plugin: str
) -> None:
    with pytest.raises(ShellError) as caught:
        parse(options)
    assert caught.value.text == "shell_init: No such file or directory"
    assert caught.value.code == 1
    assert caught.value.complaints == (
        Complaint(ERROR, message, component),
        Complaint(ERROR, f"plugin '{plugin}': shell.init failed"),
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"verbose": "x"}, "failed to parse attributes.system.shell.verbose"),
        ({"taskmap": {"scheme": 3}}, "failed to parse taskmap shell option"),
    ],
)
def test_some_wrong_options_are_fatal_by_themselves(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ShellError, match=text):
        parse(options)
