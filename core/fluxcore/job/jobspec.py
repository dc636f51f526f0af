"""Jobspec version 1 (RFC 14, RFC 25): what a job asks for, checked by hand.

A jobspec is a plain JSON object; nothing wraps it. :func:`validate` runs for every job that is
submitted, so it is straight code without a schema engine: about ten microseconds for a small
jobspec.

The words of an error are flux-core's where it has any (CONTRACTS D1). Where flux-core lets
something pass that no job can run with (no resources, no task, a slot that is not there or has
no core, two slots, a negative duration, text where an object belongs), it is refused here.
"""

import errno
from collections.abc import Iterable
from typing import Any, Final

from fluxcore.resource import constraint

#: A jobspec: the JSON object.
Jobspec = dict[str, Any]

#: Where in a jobspec something is: the keys and indexes that lead to it.
Path = tuple[str | int, ...]

MAX_COUNT: Final = 2**31 - 1

#: The node and the slot that have been met, with their labels.
_Seen = dict[str, str]

_TOP: Final = ("resources", "tasks", "attributes", "version")
_ATTRIBUTES: Final = ("system", "user")
_MAX_DEPTH: Final = 16


class JobspecError(OSError):
    """A jobspec is malformed: EINVAL, a text, and the ``path`` to what is wrong.

    The path is that of the value, or of the object that lacks a key.
    """

    def __init__(self, text: str, path: Path = ()) -> None:
        super().__init__(errno.EINVAL, text)
        self.path = path

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        return self.strerror or ""


def validate(obj: object) -> None:
    """Check that ``obj`` is a jobspec of version 1.

    :raises JobspecError: it is not
    """
    if type(obj) is not dict:
        raise JobspecError("jobspec must be a mapping")
    _keys(obj, _TOP, ())
    for key in obj:
        if key not in _TOP:
            raise JobspecError(f"Extraneous key ({key})", (key,))
    if obj["version"] != 1 or type(obj["version"]) is not int:
        raise JobspecError("version must be 1", ("version",))
    label = _resources(obj["resources"])
    _tasks(obj["tasks"], label)
    _attributes(obj["attributes"])


def _keys(obj: dict[str, Any], names: Iterable[str], path: Path) -> None:
    for name in names:
        if name not in obj:
            raise JobspecError(f"Missing key ({name})", path)


# -- resources ------------------------------------------------------------------------------


def _resources(resources: object) -> str:
    """The label of the slot in checked ``resources``."""
    path: Path = ("resources",)
    if type(resources) is not list:
        raise JobspecError("resources must be a sequence", path)
    if not resources:
        raise JobspecError("resources must not be empty", path)
    seen: _Seen = {}
    for at, resource in enumerate(resources):
        _resource(resource, (*path, at), seen)
    if "slot" not in seen:
        raise JobspecError("Unable to determine slot count", path)
    return seen["slot"]


def _resource(resource: object, path: Path, seen: _Seen) -> None:
    if type(resource) is not dict:
        raise JobspecError("resource must be a mapping", path)
    kind = resource.get("type")
    if type(kind) is not str:
        if "type" not in resource:
            raise JobspecError("type is a required key for resources", path)
        raise JobspecError("type must be a string", (*path, "type"))
    _resource_count(resource, kind, path)
    for key in ("id", "unit", "label"):
        if key in resource and type(resource[key]) is not str:
            raise JobspecError(f"{key} must be a string", (*path, key))
    if "exclusive" in resource and type(resource["exclusive"]) is not bool:
        raise JobspecError("exclusive must be a boolean", (*path, "exclusive"))
    if kind in ("slot", "node"):
        if kind in seen:
            raise JobspecError(f"{kind} resource encountered after {kind} resource", path)
        seen[kind] = resource.get("label", "")
    if kind == "slot" and "label" not in resource:
        raise JobspecError("slots must have labels", path)
    if "with" in resource:
        _children(resource["with"], (*path, "with"), seen)
    if kind == "slot" and not _has_core(resource):
        raise JobspecError("Unable to determine slot size", path)


def _resource_count(resource: dict[str, Any], kind: str, path: Path) -> None:
    if "count" not in resource:
        raise JobspecError("count is a required key for resources", path)
    count = resource["count"]
    path = (*path, "count")
    if type(count) in (dict, str):
        # RFC 14's ranges, which version 1 has not.
        got = type(count).__name__
        raise JobspecError(
            f"resource count must be an integer for type '{kind}' (got '{got}')", path
        )
    if type(count) is not int:
        raise JobspecError("count must be an int or mapping", path)
    if count < 1 and kind in ("node", "slot", "core"):
        raise JobspecError("node, slot, or core count must be > 0", path)
    if count < 0:
        raise JobspecError("count must be >= 0", path)
    if count == 0 and kind == "gpu":
        raise JobspecError("gpu count must be > 0", path)
    if count > MAX_COUNT:
        raise JobspecError(f"count must be <= {MAX_COUNT}", path)


def _has_core(resource: dict[str, Any]) -> bool:
    """True if a checked resource is a core or holds one."""
    return resource["type"] == "core" or any(map(_has_core, resource.get("with", ())))


def _children(children: object, path: Path, seen: _Seen) -> None:
    if type(children) is not list:
        raise JobspecError("with must be a sequence", path)
    if len(path) > 2 * _MAX_DEPTH:
        raise JobspecError("resources are nested too deeply", path)
    for at, child in enumerate(children):
        _resource(child, (*path, at), seen)


# -- tasks ----------------------------------------------------------------------------------


def _tasks(tasks: object, label: str) -> None:
    path: Path = ("tasks",)
    if type(tasks) is not list:
        raise JobspecError("tasks must be a sequence", path)
    for at, task in enumerate(tasks):
        _task(task, (*path, at), label)
    if len(tasks) != 1:
        raise JobspecError("tasks must have exactly one task", path)


def _task(task: object, path: Path, label: str) -> None:
    if type(task) is not dict:
        raise JobspecError("task must be a mapping", path)
    _keys(task, ("command", "slot", "count"), path)
    _task_count(task["count"], (*path, "count"))
    slot = task["slot"]
    if type(slot) is not str:
        raise JobspecError("slot must be a string", (*path, "slot"))
    if slot != label:
        raise JobspecError(f"no slot has the label '{slot}'", (*path, "slot"))
    if "attributes" in task and type(task["attributes"]) is not dict:
        raise JobspecError("attributes must be a mapping", (*path, "attributes"))
    _command(task["command"], (*path, "command"))


def _task_count(count: object, path: Path) -> None:
    if type(count) is not dict:
        raise JobspecError("count must be a mapping", path)
    if len(count) != 1:
        raise JobspecError("count must have exactly one key set", path)
    ((key, value),) = count.items()
    if key == "per_resource":
        raise JobspecError("count per_slot or total must be set", path)
    if key not in ("per_slot", "total"):
        raise JobspecError("count per_slot, per_resource, or total must be set", path)
    if type(value) is not int:
        raise JobspecError(f"count {key} must be an int", (*path, key))
    if not 0 < value <= MAX_COUNT:
        limit = "> 0" if value <= 0 else f"<= {MAX_COUNT}"
        raise JobspecError(f"count {key} must be {limit}", (*path, key))
    if key == "per_slot" and value != 1:
        raise JobspecError(f"per_slot count: expected 1 got {value}", (*path, key))


def _command(command: object, path: Path) -> None:
    if command in ([], {}, ""):
        raise JobspecError("command array cannot have length of zero", path)
    if type(command) is not list:
        raise JobspecError("command must be a list of strings", path)
    for at, word in enumerate(command):
        if type(word) is not str:
            raise JobspecError("command must be a list of strings", (*path, at))


# -- attributes -----------------------------------------------------------------------------


def _attributes(attributes: object) -> None:
    path: Path = ("attributes",)
    if type(attributes) is not dict:
        raise JobspecError("attributes must be a mapping", path)
    for key in attributes:
        if key not in _ATTRIBUTES:
            raise JobspecError(f"Extraneous key ({key})", (*path, key))
    if "system" not in attributes:
        raise JobspecError("attributes.system is a required key", path)
    system = attributes["system"]
    path = ("attributes", "system")
    if type(system) is not dict:
        raise JobspecError("attributes.system must be a mapping", path)
    _duration(system, path)
    _typed_attributes(system, path)
    if "dependencies" in system:
        _dependencies(system["dependencies"], (*path, "dependencies"))
    if "constraints" in system:
        try:
            constraint.check(system["constraints"], (*path, "constraints"))
        except constraint.ConstraintError as exc:
            raise JobspecError(str(exc), exc.path) from None


def _duration(system: dict[str, Any], path: Path) -> None:
    if "duration" not in system:
        raise JobspecError("attributes.system.duration is a required key", path)
    duration = system["duration"]
    path = (*path, "duration")
    if type(duration) not in (int, float):
        raise JobspecError("attributes.system.duration must be a number", path)
    if not 0 <= duration < float("inf"):
        raise JobspecError("attributes.system.duration must be >= 0 and finite", path)


def _typed_attributes(system: dict[str, Any], path: Path) -> None:
    for keys, kind, name in _TYPES:
        value: Any = system
        for key in keys:
            if type(value) is not dict or key not in value:
                break
            value = value[key]
        else:
            if type(value) is not kind:
                dotted = ".".join(("attributes", "system", *keys))
                raise JobspecError(f"{dotted} must be a {name}", (*path, *keys))
    for name, value in system.get("environment", {}).items():
        if type(value) is not str and value is not None:
            text = f"environment variable {name} must be a string"
            raise JobspecError(text, (*path, "environment", name))
    options = system.get("shell", {}).get("options", {})
    if "per-resource" in options:
        _per_resource(options["per-resource"], (*path, "shell", "options", "per-resource"))


def _per_resource(spec: object, path: Path) -> None:
    # The shell's stand-in for RFC 14's task count per_resource.
    if type(spec) is not dict or type(spec.get("type")) is not str:
        raise JobspecError("invalid per-resource section", path)
    count = spec.get("count", 1)
    if type(count) is not int or not 0 < count <= MAX_COUNT:
        raise JobspecError("per-resource.count must be > 0", (*path, "count"))


def _dependencies(dependencies: object, path: Path) -> None:
    if type(dependencies) is not list:
        raise JobspecError("attributes.system.dependencies must be a list", path)
    for at, dependency in enumerate(dependencies):
        here = (*path, at)
        if type(dependency) is not dict:
            raise JobspecError("dependency must be a mapping", here)
        _keys(dependency, ("scheme", "value"), here)
        for key in ("scheme", "value"):
            if type(dependency[key]) is not str:
                raise JobspecError(f"dependency {key} must be a string", (*here, key))


#: The types of the attributes that others read.
_TYPES: Final = (
    (("cwd",), str, "string"),
    (("queue",), str, "string"),
    (("bank",), str, "string"),
    (("project",), str, "string"),
    (("job",), dict, "mapping"),
    (("job", "name"), str, "string"),
    (("environment",), dict, "mapping"),
    (("shell",), dict, "mapping"),
    (("shell", "options"), dict, "mapping"),
)
