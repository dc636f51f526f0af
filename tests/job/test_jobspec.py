"""Jobspec validation: flux-core's words, the path to the fault, and what is refused knowingly."""

import copy
import errno
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job.jobspec import JobspecError, validate
from fluxcore.job.jobspec_counts import request, total
from fluxcore.resource.constraint import Inventory
from fluxcore.resource.idset import IdSet
from fluxcore.resource.request import Request

Path = tuple[str | int, ...]


def jobspec(path: Path = (), value: Any = None) -> dict[str, Any]:
    """A small valid jobspec, with ``value`` at ``path``; ... takes the key away."""
    spec: dict[str, Any] = {
        "resources": [
            {"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}
        ],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0}},
        "version": 1,
    }
    if path:
        at: Any = spec
        for key in path[:-1]:
            at = at[key]
        if value is ...:
            del at[path[-1]]
        else:
            at[path[-1]] = value
    return spec


R: Path = ("resources",)
S: Path = ("resources", 0)
T: Path = ("tasks", 0)
A: Path = ("attributes", "system")
OPTION: Path = (*A, "shell", "options", "per-resource")
CORE = {"type": "core", "count": 1}

REFUSED: list[tuple[Path, Any, str, Path | None]] = [
    (("tasks",), ..., "Missing key (tasks)", ()),
    (("foo",), 1, "Extraneous key (foo)", None),
    (("version",), 2, "version must be 1", None),
    (("version",), "1", "version must be 1", None),
    (("version",), True, "version must be 1", None),
    # resources
    (R, {}, "resources must be a sequence", None),
    (R, [], "resources must not be empty", None),
    (R, [CORE], "Unable to determine slot count", None),
    (S, 1, "resource must be a mapping", None),
    ((*S, "type"), ..., "type is a required key for resources", S),
    ((*S, "type"), 1, "type must be a string", None),
    ((*S, "count"), ..., "count is a required key for resources", S),
    ((*S, "count"), [1], "count must be an int or mapping", None),
    ((*S, "count"), 1.5, "count must be an int or mapping", None),
    ((*S, "count"), True, "count must be an int or mapping", None),
    (
        (*S, "count"),
        {"min": 1},
        "resource count must be an integer for type 'slot' (got 'dict')",
        None,
    ),
    ((*S, "count"), "2-4", "resource count must be an integer for type 'slot' (got 'str')", None),
    ((*S, "count"), 0, "node, slot, or core count must be > 0", None),
    ((*S, "count"), -1, "node, slot, or core count must be > 0", None),
    ((*S, "count"), 2**31, "count must be <= 2147483647", None),
    ((*S, "with", 0), {"type": "gpu", "count": 1}, "Unable to determine slot size", S),
    (
        (*S, "with"),
        [CORE, {"type": "gpu", "count": -1}],
        "count must be >= 0",
        (*S, "with", 1, "count"),
    ),
    (
        (*S, "with"),
        [CORE, {"type": "gpu", "count": 0}],
        "gpu count must be > 0",
        (*S, "with", 1, "count"),
    ),
    ((*S, "label"), ..., "slots must have labels", S),
    ((*S, "label"), 3, "label must be a string", None),
    ((*S, "unit"), 3, "unit must be a string", None),
    ((*S, "exclusive"), 3, "exclusive must be a boolean", None),
    ((*S, "with"), 3, "with must be a sequence", None),
    ((*S, "with"), [3], "resource must be a mapping", (*S, "with", 0)),
    ((*S, "with"), ..., "Unable to determine slot size", S),
    (R, jobspec()["resources"] * 2, "slot resource encountered after slot resource", (*R, 1)),
    # tasks
    (("tasks",), {}, "tasks must be a sequence", None),
    (("tasks",), [], "tasks must have exactly one task", None),
    (("tasks",), jobspec()["tasks"] * 2, "tasks must have exactly one task", None),
    (T, 1, "task must be a mapping", None),
    ((*T, "slot"), ..., "Missing key (slot)", T),
    ((*T, "count"), 1, "count must be a mapping", None),
    ((*T, "count"), {}, "count must have exactly one key set", None),
    ((*T, "count"), {"per_slot": 1, "total": 1}, "count must have exactly one key set", None),
    ((*T, "count"), {"foo": 1}, "count per_slot, per_resource, or total must be set", None),
    ((*T, "count"), {"per_resource": {}}, "count per_slot or total must be set", None),
    ((*T, "count", "per_slot"), 0, "count per_slot must be > 0", None),
    ((*T, "count", "per_slot"), "x", "count per_slot must be an int", None),
    ((*T, "count", "per_slot"), 2, "per_slot count: expected 1 got 2", None),
    ((*T, "count"), {"total": 0}, "count total must be > 0", (*T, "count", "total")),
    ((*T, "count"), {"total": 2**31}, "count total must be <= 2147483647", (*T, "count", "total")),
    ((*T, "slot"), 1, "slot must be a string", None),
    ((*T, "slot"), "zz", "no slot has the label 'zz'", None),
    ((*T, "attributes"), 1, "attributes must be a mapping", None),
    ((*T, "command"), [], "command array cannot have length of zero", None),
    ((*T, "command"), {}, "command array cannot have length of zero", None),
    ((*T, "command"), "true", "command must be a list of strings", None),
    ((*T, "command"), ["a", 1], "command must be a list of strings", (*T, "command", 1)),
    # attributes
    (("attributes",), [], "attributes must be a mapping", None),
    (("attributes",), {}, "attributes.system is a required key", None),
    (("attributes", "foo"), {}, "Extraneous key (foo)", None),
    (A, 1, "attributes.system must be a mapping", None),
    ((*A, "duration"), ..., "attributes.system.duration is a required key", A),
    ((*A, "duration"), "1", "attributes.system.duration must be a number", None),
    ((*A, "duration"), -1, "attributes.system.duration must be >= 0 and finite", None),
    ((*A, "duration"), float("inf"), "attributes.system.duration must be >= 0 and finite", None),
    ((*A, "duration"), float("nan"), "attributes.system.duration must be >= 0 and finite", None),
    ((*A, "cwd"), 1, "attributes.system.cwd must be a string", None),
    ((*A, "queue"), 1, "attributes.system.queue must be a string", None),
    ((*A, "job"), 1, "attributes.system.job must be a mapping", None),
    ((*A, "job"), {"name": 1}, "attributes.system.job.name must be a string", (*A, "job", "name")),
    ((*A, "shell"), 1, "attributes.system.shell must be a mapping", None),
    ((*A, "environment"), 1, "attributes.system.environment must be a mapping", None),
    (
        (*A, "environment"),
        {"A": 1},
        "environment variable A must be a string",
        (*A, "environment", "A"),
    ),
    ((*A, "shell"), {"options": {"per-resource": 1}}, "invalid per-resource section", OPTION),
    (
        (*A, "shell"),
        {"options": {"per-resource": {"type": "node", "count": 0}}},
        "per-resource.count must be > 0",
        (*OPTION, "count"),
    ),
    ((*A, "dependencies"), 1, "attributes.system.dependencies must be a list", None),
    ((*A, "dependencies"), [1], "dependency must be a mapping", (*A, "dependencies", 0)),
    ((*A, "dependencies"), [{"scheme": "x"}], "Missing key (value)", (*A, "dependencies", 0)),
    (
        (*A, "dependencies"),
        [{"scheme": 1, "value": "x"}],
        "dependency scheme must be a string",
        (*A, "dependencies", 0, "scheme"),
    ),
    ((*A, "constraints"), 1, "constraints must be a mapping", None),
    (
        (*A, "constraints"),
        {"and": [{"foo": []}]},
        "unknown constraint operator 'foo'",
        (*A, "constraints", "and", 0, "foo"),
    ),
]


@pytest.mark.parametrize(("path", "value", "text", "where"), REFUSED)
def test_what_is_refused(path: Path, value: Any, text: str, where: Path | None) -> None:
    with pytest.raises(JobspecError) as caught:
        validate(jobspec(path, value))
    assert (caught.value.errno, caught.value.text) == (errno.EINVAL, text)
    assert caught.value.path == (path if where is None else where)


@pytest.mark.parametrize("obj", [[], "x", None, 1])
def test_a_jobspec_is_an_object(obj: object) -> None:
    with pytest.raises(JobspecError, match="jobspec must be a mapping"):
        validate(obj)


def test_nothing_at_all_misses_its_first_key() -> None:
    with pytest.raises(JobspecError, match=r"^\[Errno 22\] Missing key \(resources\)$"):
        validate({})


def test_resources_have_a_depth() -> None:
    inner: dict[str, Any] = {"type": "core", "count": 1}
    for _ in range(2000):
        inner = {"type": "box", "count": 1, "with": [inner]}
    with pytest.raises(JobspecError, match="nested too deeply"):
        validate(jobspec((*S, "with"), [inner]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (R, [{"type": "node", "count": 2, "exclusive": True, "with": jobspec()["resources"]}]),
        ((*S, "with"), [CORE, {"type": "gpu", "count": 2}]),
        ((*S, "with"), [{"type": "socket", "count": 1, "with": [CORE]}]),
        ((*S, "with"), [CORE, {"type": "memory", "count": 0, "unit": "GB"}]),
        ((*T, "count"), {"total": 5}),
        ((*T, "slot"), "task"),
        (("attributes", "user"), {"anything": [1]}),
        ((*A, "duration"), 3.5),
        ((*A, "environment"), {"A": "1", "B": None}),
        ((*A, "constraints"), {"or": [{"hostlist": ["a[0-2]"]}]}),
        ((*A, "dependencies"), [{"scheme": "afterok", "value": "1", "more": 2}]),
        ((*A, "unheard-of"), {"x": 1}),
    ],
)
def test_what_is_accepted(path: Path, value: Any) -> None:
    validate(jobspec(path, value))


def places(value: Any, path: Path = ()) -> list[Path]:
    found = [path]
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        found += places(child, (*path, key))
    return found


FULL = jobspec((*A, "environment"), {"A": "1"})
FULL["attributes"]["system"]["constraints"] = {"and": [{"ranks": ["0"]}]}
FULL["attributes"]["system"]["dependencies"] = [{"scheme": "a", "value": "b"}]
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "with", "x"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=60)
@given(st.sampled_from(places(FULL)), junk)
def test_junk_anywhere_is_accepted_or_a_jobspec_error(path: Path, value: Any) -> None:
    spec: Any = copy.deepcopy(FULL)
    if path:
        at = spec
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
    else:
        spec = value
    try:
        validate(spec)
    except JobspecError as exc:
        for key in exc.path:
            spec = spec[key]  # the path leads somewhere
        return
    total(spec)


# -- counts ---------------------------------------------------------------------------------


def slots(nnodes: int, nslots: int, cores: int, gpus: int = 0, **node: Any) -> list[dict[str, Any]]:
    children = [{"type": "core", "count": cores}]
    if gpus:
        children.append({"type": "gpu", "count": gpus})
    slot = {"type": "slot", "count": nslots, "with": children, "label": "task"}
    return [{"type": "node", "count": nnodes, "with": [slot], **node}] if nnodes else [slot]


@pytest.mark.parametrize(
    ("resources", "count", "expected"),
    [
        (slots(0, 1, 1), {"per_slot": 1}, (0, 1, 1, 0, 1, 1, 0, False)),
        (slots(0, 3, 2, 1), {"per_slot": 1}, (0, 3, 2, 1, 3, 6, 3, False)),
        (slots(4, 2, 3), {"total": 5}, (4, 8, 3, 0, 5, 24, 0, False)),
        (slots(2, 1, 1, exclusive=True), {"per_slot": 1}, (2, 2, 1, 0, 2, 2, 0, True)),
        (
            [{"type": "rack", "count": 3, "with": slots(2, 1, 1)}],
            {"per_slot": 1},
            (6, 6, 1, 0, 6, 6, 0, False),
        ),
        (
            [slots(0, 3, 2)[0] | {"exclusive": True}],
            {"per_slot": 1},
            (3, 3, 2, 0, 3, 6, 0, True),
        ),
    ],
)
def test_what_is_asked_for(
    resources: list[Any], count: dict[str, int], expected: tuple[Any, ...]
) -> None:
    spec = jobspec(R, resources)
    spec["tasks"][0]["count"] = count
    validate(spec)
    found = total(spec)
    assert (*found[:5], found.ncores, found.ngpus, found.exclusive) == expected


@pytest.mark.parametrize(
    ("kind", "nnodes", "expected"), [("node", 2, 6), ("core", 0, 24), ("core", 2, 48)]
)
def test_tasks_per_resource(kind: str, nnodes: int, expected: int) -> None:
    spec = jobspec(R, slots(nnodes, 4, 2))
    spec["attributes"]["system"]["shell"] = {
        "options": {"per-resource": {"type": kind, "count": 3}}
    }
    assert total(spec).ntasks == expected


def test_the_duration_is_in_seconds() -> None:
    assert total(jobspec((*A, "duration"), 90)).duration == 90.0


def test_what_a_pool_is_asked_for() -> None:
    inventory = Inventory(IdSet.decode("0-3"), ["a", "b", "c", "d"], {})
    spec = jobspec(R, slots(2, 3, 4, 1))
    spec["attributes"]["system"] |= {"duration": 60, "constraints": {"hostlist": ["c", "d"]}}
    assert request(spec, inventory) == Request(2, 6, 4, 1, False, 60.0, IdSet([2, 3]))
    assert request(jobspec(), inventory) == Request(0, 1, 1)
