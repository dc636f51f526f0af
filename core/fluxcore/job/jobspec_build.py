"""A jobspec from a command line, key for key as ``flux submit --dry-run`` has it.

::

    spec = from_command(["hostname"], Options(ntasks=4, nnodes=2, environment=env, cwd=cwd))

How many tasks and nodes there are is said per task (``ntasks`` and ``..._per_task``) or per
resource (``cores``, ``tasks_per_node``, ``tasks_per_core``, ``gpus_per_node``), never both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from fluxcore.job.jobspec import Jobspec

#: The paths of ``output`` and ``error`` that mean "leave it in the KVS".
_NO_FILE: Final = ("none", "kvs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of ``flux submit`` that go into a jobspec; None is "not given"."""

    # per task; 0 tasks or cores is "not given" too, as in flux-core
    ntasks: int | None = None
    cores_per_task: int | None = None
    gpus_per_task: int | None = None
    # per resource
    cores: int | None = None
    tasks_per_node: int | None = None
    tasks_per_core: int | None = None
    gpus_per_node: int | None = None

    nnodes: int | None = None
    exclusive: bool = False
    #: Seconds; 0 is no limit.
    duration: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Variables whose value holds a mustache template, which the shell fills in.
    env_expand: Mapping[str, str] = field(default_factory=dict)
    #: Soft resource limits by lower-case name, -1 for unlimited.
    rlimits: Mapping[str, int] = field(default_factory=dict)
    cwd: str | None = None
    name: str | None = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    label_io: bool = False
    unbuffered: bool = False
    queue: str | None = None
    bank: str | None = None
    #: Shell options by dotted key, in the order given.
    shell_options: Mapping[str, Any] = field(default_factory=dict)
    #: Attributes by dotted key: ``x`` is ``system.x``, ``.x`` is ``attributes.x``.
    attributes: Mapping[str, Any] = field(default_factory=dict)


def from_command(command: Sequence[str], options: Options) -> Jobspec:
    """The jobspec that runs ``command``.

    :raises ValueError: options that do not go together or are out of range, in flux-core's words
    """
    if not command:
        raise ValueError("job command and arguments are missing")
    resources, count, per_resource = _shape(options)
    attributes: dict[str, Any] = {"system": {"duration": 0}}
    if per_resource is not None:
        _set(attributes, "system.shell.options.per-resource", per_resource)
    _fill_system(attributes, options)
    _fill_shell(attributes, options)
    for key, value in options.attributes.items():
        _set(attributes, _attribute_path(key), value)
    return {
        "resources": [resources],
        "tasks": [{"command": list(command), "slot": "task", "count": count}],
        "attributes": attributes,
        "version": 1,
    }


def parse_keyval(text: str) -> tuple[str, Any]:
    """A ``key[=value]`` of ``--setopt`` or ``--setattr``.

    The value is JSON if it reads as such, else text; without one it is 1.
    """
    key, equals, value = text.partition("=")
    if not equals:
        return key, 1
    try:
        return key, orjson.loads(value)
    except orjson.JSONDecodeError:
        return key, value


# -- resources ------------------------------------------------------------------------------

#: The resource, the task count, and the shell option per-resource or None.
_Shape = tuple[dict[str, Any], dict[str, int], dict[str, Any] | None]


def _shape(o: Options) -> _Shape:
    per_resource = (o.cores, o.tasks_per_node, o.tasks_per_core, o.gpus_per_node)
    if all(value is None for value in per_resource):
        return _per_task_shape(o)
    if o.ntasks is not None or o.cores_per_task is not None or o.gpus_per_task:
        raise ValueError(
            "Per-resource options can't be used with per-task options. (See --help for details)"
        )
    return _per_resource_shape(o)


def _per_task_shape(o: Options) -> _Shape:
    ntasks, exclusive = o.ntasks, o.exclusive
    if not ntasks and o.nnodes:
        # Nodes alone mean whole nodes, a task on each.
        ntasks, exclusive = o.nnodes, True
    ntasks, cores, gpus = ntasks or 1, o.cores_per_task or 1, o.gpus_per_task or 0
    if ntasks < 1:
        raise ValueError("task count must be a integer >= 1")
    if cores < 1:
        raise ValueError("cores per task must be an integer >= 1")
    if gpus < 0:
        raise ValueError("gpus per task must be an integer >= 0")
    if o.nnodes is None:
        if exclusive:
            raise ValueError("exclusive can only be set with a node count")
        return _slot(ntasks, cores, gpus), {"per_slot": 1}, None
    if o.nnodes < 1:
        raise ValueError("node count must be an integer >= 1 (if set)")
    if o.nnodes > ntasks:
        raise ValueError("node count must not be greater than task count")
    slot = _slot(math.ceil(ntasks / o.nnodes), cores, gpus)
    # An uneven distribution leaves slots without a task.
    count = {"total": ntasks} if ntasks % o.nnodes else {"per_slot": 1}
    return _node(o.nnodes, slot, exclusive), count, None


def _per_resource_shape(o: Options) -> _Shape:
    tasks = _tasks_per_resource(o)
    if o.cores is not None and o.cores < 1:
        raise ValueError("ncores must be an integer >= 1")
    gpus = o.gpus_per_node or 0
    if gpus and not o.nnodes:
        raise ValueError("--gpus-per-node requires --nodes")
    if gpus < 0:
        raise ValueError("gpus_per_node must be an integer >= 0")
    if o.nnodes is None:
        if o.exclusive:
            raise ValueError("exclusive can only be set with a node count")
        if o.cores is None:
            raise ValueError("must specify node or core count with per_resource")
        return _slot(o.cores, 1, gpus), {"per_slot": 1}, tasks
    if o.nnodes < 1:
        raise ValueError("nnodes must be an integer >= 1")
    slot = _slot(1, _cores_per_node(o.cores, o.nnodes), gpus)
    return _node(o.nnodes, slot, o.exclusive or o.cores is None), {"per_slot": 1}, tasks


def _tasks_per_resource(o: Options) -> dict[str, Any] | None:
    if o.tasks_per_node is not None and o.tasks_per_core is not None:
        raise ValueError("Do not specify both the number of tasks per node and per core")
    for kind, count in (("node", o.tasks_per_node), ("core", o.tasks_per_core)):
        if count is None:
            continue
        if count < 1:
            raise ValueError(f"--tasks-per-{kind} must be >= 1")
        return {"type": kind, "count": count}
    return None


def _cores_per_node(cores: int | None, nnodes: int) -> int:
    if cores is None:
        return 1
    if cores < nnodes:
        raise ValueError("number of cores cannot be less than nnodes")
    if cores % nnodes:
        raise ValueError("number of cores must be evenly divisible by node count")
    return cores // nnodes


def _slot(count: int, cores: int, gpus: int) -> dict[str, Any]:
    children = [{"type": "core", "count": cores}]
    if gpus:
        children.append({"type": "gpu", "count": gpus})
    return {"type": "slot", "count": count, "with": children, "label": "task"}


def _node(count: int, slot: dict[str, Any], exclusive: bool) -> dict[str, Any]:
    if exclusive:
        return {"type": "node", "count": count, "exclusive": True, "with": [slot]}
    return {"type": "node", "count": count, "with": [slot]}


# -- attributes -----------------------------------------------------------------------------


def _fill_system(attributes: dict[str, Any], o: Options) -> None:
    system = attributes["system"]
    if o.duration is not None:
        if o.duration < 0:
            raise ValueError("duration must not be negative")
        if not math.isfinite(o.duration):
            raise ValueError("duration must be a normal, finite value")
        system["duration"] = float(o.duration)
    system["environment"] = dict(o.environment)
    if o.cwd is not None:
        system["cwd"] = o.cwd
    if o.name is not None:
        system["job"] = {"name": o.name}
    _fill_io(attributes, o)
    if o.queue is not None:
        system["queue"] = o.queue
    if o.bank is not None:
        system["bank"] = o.bank


def _fill_io(attributes: dict[str, Any], o: Options) -> None:
    prefix = "system.shell.options."
    files = (("input.stdin", o.input), ("output.stdout", o.output), ("output.stderr", o.error))
    for stream, path in files:
        if path is None or (stream != "input.stdin" and path in _NO_FILE):
            continue
        _set(attributes, f"{prefix}{stream}.type", "file")
        _set(attributes, f"{prefix}{stream}.path", path)
        if o.label_io and stream != "input.stdin":
            _set(attributes, f"{prefix}{stream}.label", True)
    if o.unbuffered:
        _set(attributes, f"{prefix}output.stdout.buffer.type", "none")
        _set(attributes, f"{prefix}output.stderr.buffer.type", "none")
        _set(attributes, f"{prefix}output.batch-timeout", 0.05)
        _set(attributes, f"{prefix}input.batch-timeout", 0.0)


def _fill_shell(attributes: dict[str, Any], o: Options) -> None:
    options: dict[str, Any] = {}
    if o.env_expand:
        options["env-expand"] = dict(o.env_expand)
    if o.rlimits:
        options["rlimit"] = dict(o.rlimits)
    options |= o.shell_options
    for key, value in options.items():
        _set(attributes, "system.shell.options." + key, value)


def _attribute_path(key: str) -> str:
    if key.startswith("."):
        return key[1:]
    if key.startswith("attributes."):
        return key.removeprefix("attributes.")
    return key if key.startswith(("user.", "system.")) else "system." + key


def _set(target: dict[str, Any], key: str, value: Any) -> None:
    """Set ``value`` under a dotted key, making the objects on the way."""
    *path, last = key.split(".")
    for name in path:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            raise ValueError(f"failed to set attributes.{key}: {name} is no object")
    target[last] = value
