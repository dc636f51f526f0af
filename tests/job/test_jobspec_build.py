"""Jobspecs from command lines: what ``flux submit --dry-run`` of flux-core 0.88 printed."""

import json
from typing import Any

import pytest

from fluxcore.job.jobspec import validate
from fluxcore.job.jobspec_build import Options, from_command, parse_keyval

ENV = {"A": "1", "B": "two"}
SLOT = '{"type": "slot", "count": %d, "with": [%s], "label": "task"}'
CORE = '{"type": "core", "count": %d}'
PER_SLOT = '{"per_slot": 1}'


def dry_run(options: Options, command: list[str] | None = None) -> str:
    spec = from_command(command or ["true"], options)
    validate(spec)
    return json.dumps(spec, ensure_ascii=False)


def test_the_jobspec_of_the_tutorial() -> None:
    options = Options(environment=ENV, cwd="/tmp", rlimits={"cpu": -1, "nofile": 1024})
    assert dry_run(options, ["echo", "hello", "potato", "🥔️🍠️"]) == (
        '{"resources": [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}],'
        ' "label": "task"}], "tasks": [{"command": ["echo", "hello", "potato", "🥔️🍠️"],'
        ' "slot": "task", "count": {"per_slot": 1}}], "attributes": {"system": {"duration": 0,'
        ' "environment": {"A": "1", "B": "two"}, "cwd": "/tmp", "shell": {"options":'
        ' {"rlimit": {"cpu": -1, "nofile": 1024}}}}}, "version": 1}'
    )


def node(count: int, slots: int, cores: int = 1, more: str = "", gpus: str = "") -> str:
    slot = SLOT % (slots, CORE % cores + gpus)
    return f'{{"type": "node", "count": {count}, {more}"with": [{slot}]}}'


WHOLE = '"exclusive": true, '
GPU = ', {"type": "gpu", "count": 1}'
GPU2 = ', {"type": "gpu", "count": 2}'


@pytest.mark.parametrize(
    ("options", "resources", "count"),
    [
        (Options(ntasks=4, nnodes=2), node(2, 2), PER_SLOT),
        (Options(ntasks=5, nnodes=4), node(4, 2), '{"total": 5}'),
        (Options(nnodes=3), node(3, 1, more=WHOLE), PER_SLOT),
        (
            Options(nnodes=2, ntasks=2, exclusive=True, cores_per_task=2, gpus_per_task=1),
            node(2, 1, 2, WHOLE, GPU),
            PER_SLOT,
        ),
        (
            Options(cores_per_task=2, gpus_per_task=1, ntasks=3),
            SLOT % (3, CORE % 2 + GPU),
            PER_SLOT,
        ),
        (Options(ntasks=0, cores_per_task=0), SLOT % (1, CORE % 1), PER_SLOT),
        (Options(cores=4), SLOT % (4, CORE % 1), PER_SLOT),
        (Options(gpus_per_node=2, nnodes=2), node(2, 1, 1, WHOLE, GPU2), PER_SLOT),
        (Options(cores=4, nnodes=2), node(2, 1, 2), PER_SLOT),
    ],
)
def test_resources_and_tasks(options: Options, resources: str, count: str) -> None:
    assert dry_run(options) == (
        f'{{"resources": [{resources}], "tasks": [{{"command": ["true"], "slot": "task",'
        f' "count": {count}}}], "attributes": {{"system": {{"duration": 0, "environment": {{}}}}}},'
        ' "version": 1}'
    )


def system(options: Options) -> str:
    """The system attributes as printed, without duration and environment."""
    text = dry_run(options)
    start = text.index('"environment": {}') + len('"environment": {}')
    return text[start : text.index('}, "version": 1}')].removeprefix(", ")


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        (
            Options(cwd="/x", name="foo", queue="batch", bank="bank", rlimits={"cpu": -1}),
            '"cwd": "/x", "job": {"name": "foo"}, "queue": "batch", "bank": "bank",'
            ' "shell": {"options": {"rlimit": {"cpu": -1}}}}',
        ),
        (
            Options(
                cwd="/tmp",
                rlimits={"cpu": -1},
                shell_options={"verbose": 1, "mpi": "none", "output.mode": "x", "a.b": {"c": 1}},
            ),
            '"cwd": "/tmp", "shell": {"options": {"rlimit": {"cpu": -1}, "verbose": 1,'
            ' "mpi": "none", "output": {"mode": "x"}, "a": {"b": {"c": 1}}}}}',
        ),
        (
            Options(output="o.txt", error="e.txt", input="i.txt", label_io=True, unbuffered=True),
            '"shell": {"options": {"input": {"stdin": {"type": "file", "path": "i.txt"},'
            ' "batch-timeout": 0.0}, "output": {"stdout": {"type": "file", "path": "o.txt",'
            ' "label": true, "buffer": {"type": "none"}}, "stderr": {"type": "file",'
            ' "path": "e.txt", "label": true, "buffer": {"type": "none"}},'
            ' "batch-timeout": 0.05}}}}',
        ),
        (Options(output="kvs", error="none", label_io=True), "}"),
        (
            Options(env_expand={"R": "{{rank}}"}, rlimits={"cpu": 1}),
            '"shell": {"options": {"env-expand": {"R": "{{rank}}"}, "rlimit": {"cpu": 1}}}}',
        ),
        (
            Options(attributes={"user.x": 1, "foo": "bar", ".user.y": [1], "attributes.user.z": 2}),
            '"foo": "bar"}, "user": {"x": 1, "y": [1], "z": 2}',
        ),
    ],
)
def test_attributes(options: Options, attributes: str) -> None:
    assert system(options) == attributes


def test_tasks_per_resource_come_first() -> None:
    assert dry_run(Options(tasks_per_node=2, nnodes=2, cwd="/tmp", rlimits={"cpu": 1})) == (
        f'{{"resources": [{node(2, 1, more=WHOLE)}], "tasks": [{{"command": ["true"],'
        ' "slot": "task", "count": {"per_slot": 1}}], "attributes": {"system": {"duration": 0,'
        ' "shell": {"options": {"per-resource": {"type": "node", "count": 2},'
        ' "rlimit": {"cpu": 1}}}, "environment": {}, "cwd": "/tmp"}}, "version": 1}'
    )
    spec = from_command(["true"], Options(tasks_per_core=2, cores=4, nnodes=2))
    assert spec["attributes"]["system"]["shell"]["options"] == {
        "per-resource": {"type": "core", "count": 2}
    }


@pytest.mark.parametrize(("duration", "shown"), [(None, "0"), (0.0, "0.0"), (600.0, "600.0")])
def test_a_duration_that_is_given_is_a_float(duration: float | None, shown: str) -> None:
    assert f'"system": {{"duration": {shown},' in dry_run(Options(duration=duration))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (Options(exclusive=True), "exclusive can only be set with a node count"),
        (Options(nnodes=4, ntasks=2), "node count must not be greater than task count"),
        (Options(duration=-60.0), "duration must not be negative"),
        (Options(duration=float("inf")), "duration must be a normal, finite value"),
        (Options(gpus_per_task=-1), "gpus per task must be an integer >= 0"),
        (Options(cores_per_task=-1), "cores per task must be an integer >= 1"),
        (Options(nnodes=-1), "task count must be a integer >= 1"),
        (Options(nnodes=0), "node count must be an integer >= 1 (if set)"),
        (Options(cores=1, ntasks=1), "Per-resource options can't be used with per-task options."),
        (Options(tasks_per_node=1, tasks_per_core=1), "Do not specify both the number of tasks"),
        (Options(tasks_per_node=0, nnodes=1), "--tasks-per-node must be >= 1"),
        (Options(tasks_per_core=0, nnodes=1), "--tasks-per-core must be >= 1"),
        (Options(tasks_per_core=1), "must specify node or core count with per_resource"),
        (Options(gpus_per_node=1), "--gpus-per-node requires --nodes"),
        (Options(gpus_per_node=-1, nnodes=1), "gpus_per_node must be an integer >= 0"),
        (Options(cores=0), "ncores must be an integer >= 1"),
        (Options(cores=1, nnodes=0), "nnodes must be an integer >= 1"),
        (Options(cores=1, exclusive=True), "exclusive can only be set with a node count"),
        (Options(cores=1, nnodes=2), "number of cores cannot be less than nnodes"),
        (Options(cores=3, nnodes=2), "number of cores must be evenly divisible by node count"),
        (Options(shell_options={"a": 1, "a.b": 2}), "failed to set attributes.system.shell"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: Options, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_command(["true"], options)
    assert str(caught.value).startswith(text)


def test_a_command_is_needed() -> None:
    with pytest.raises(ValueError, match="job command and arguments are missing"):
        from_command([], Options())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("verbose", ("verbose", 1)),
        ("mpi=none", ("mpi", "none")),
        ("a=", ("a", "")),
        ('a.b={"c":1}', ("a.b", {"c": 1})),
        ("n=1.5", ("n", 1.5)),
        ("x=a=b", ("x", "a=b")),
    ],
)
def test_key_and_value(text: str, expected: tuple[str, Any]) -> None:
    assert parse_keyval(text) == expected
