"""Ids, hostlists, task maps and jobspecs: what flux-core makes of the same input."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.job import jobid
from fluxcore.job.jobspec import JobspecError, validate
from fluxcore.job.jobspec_build import Options, from_command
from fluxcore.job.taskmap import Taskmap
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

pytestmark = [pytest.mark.interop, pytest.mark.slow]

RunFlux = Callable[..., str]
RunScript = Callable[[str, Any], Any]


@pytest.mark.parametrize("form", jobid.FORMS)
def test_ids_in_every_form(flux_core: RunFlux, form: str) -> None:
    rng = random.Random(form)
    ids = [rng.getrandbits(rng.randint(1, 64)) for _ in range(300)]
    written = flux_core("job", "id", f"--to={form}", stdin="".join(f"{i}\n" for i in ids))
    assert written.splitlines() == [jobid.encode(i, form) for i in ids]
    read = flux_core("job", "id", stdin=written)
    assert [int(line) for line in read.splitlines()] == ids


def test_hostlists(flux_python: RunScript) -> None:
    rng = random.Random(1)
    parts = ["a", "b-", "", "x0"], ["1", "2", "3", "9", "10", "09", "010", "", "y"], ["", "", "-i"]
    lists = [
        [name for _ in range(rng.randint(1, 12)) if (name := "".join(map(rng.choice, parts)))]
        for _ in range(300)
    ]
    script = (
        "import json,sys\nfrom flux.hostlist import Hostlist\n"
        "print(json.dumps([str(Hostlist(l)) for l in json.load(sys.stdin)]))"
    )
    theirs = flux_python(script, lists)
    assert [Hostlist(names).encode() for names in lists] == theirs
    assert [list(Hostlist.decode(text)) for text in theirs] == lists


def test_idsets(flux_python: RunScript) -> None:
    rng = random.Random(2)
    texts = ["".join(rng.choices("0123,-[]", k=rng.randint(0, 7))) for _ in range(2000)]
    script = (
        "import json,sys\nfrom flux.idset import decode\n"
        "def ask(t):\n"
        "    try: return str(decode(t))\n"
        "    except (ValueError, OSError): return None\n"
        "print(json.dumps([ask(t) for t in json.load(sys.stdin)]))"
    )

    def ours(text: str) -> str | None:
        try:
            return str(IdSet.decode(text))
        except ValueError:
            return None

    assert [ours(text) for text in texts] == flux_python(script, texts)


def test_task_maps(flux_core: RunFlux) -> None:
    rng = random.Random(3)
    for _ in range(20):
        counts = [rng.randint(1, 3) for _ in range(rng.randint(2, 5))]
        for made in (Taskmap.block(counts), Taskmap.cyclic(counts, rng.randint(1, 2))):
            raw = made.encode_raw()
            assert flux_core("job", "taskmap", "--to=raw", made.encode()) == raw + "\n"
            assert flux_core("job", "taskmap", raw) == Taskmap.decode(raw).encode() + "\n"
            assert (
                flux_core("job", "taskmap", "--to=pmi", made.encode()) == made.encode_pmi() + "\n"
            )


# -- jobspecs -------------------------------------------------------------------------------

COMMANDS: list[tuple[list[str], Options]] = [
    ([], Options()),
    (["-n4", "-N2"], Options(ntasks=4, nnodes=2)),
    (["-n5", "-N4"], Options(ntasks=5, nnodes=4)),
    (["-N3"], Options(nnodes=3)),
    (["-n0", "-c0"], Options(ntasks=0, cores_per_task=0)),
    (
        ["-N2", "-n2", "-x", "-c2", "-g1"],
        Options(nnodes=2, ntasks=2, exclusive=True, cores_per_task=2, gpus_per_task=1),
    ),
    (["-t", "1.5h"], Options(duration=5400.0)),
    (
        ["--job-name=foo", "-q", "batch", "-B", "bank"],
        Options(name="foo", queue="batch", bank="bank"),
    ),
    (
        ["-o", "verbose", "-o", "mpi=none", "-o", 'a.b={"c":1}'],
        Options(shell_options={"verbose": 1, "mpi": "none", "a.b": {"c": 1}}),
    ),
    (
        ["--output=o", "--error=e", "--input=i", "-l", "-u"],
        Options(output="o", error="e", input="i", label_io=True, unbuffered=True),
    ),
    (["--env=R={{rank}}"], Options(env_expand={"R": "{{rank}}"})),
    (
        ["--setattr=user.x=1", "--setattr=foo=bar", "--setattr=.user.y=[1]"],
        Options(attributes={"user.x": 1, "foo": "bar", ".user.y": [1]}),
    ),
    (["--cores=4", "-N2", "--tasks-per-core=2"], Options(cores=4, nnodes=2, tasks_per_core=2)),
    (["--tasks-per-node=2", "-N2"], Options(tasks_per_node=2, nnodes=2)),
    (["--gpus-per-node=2", "-N2"], Options(gpus_per_node=2, nnodes=2)),
]


@pytest.mark.parametrize(("arguments", "options"), COMMANDS, ids=lambda value: str(value)[:40])
def test_dry_run(flux_core: RunFlux, arguments: list[str], options: Options) -> None:
    theirs = json.loads(flux_core("submit", "--dry-run", *arguments, "echo", "🥔️"))
    system = theirs["attributes"]["system"]
    filled: dict[str, Any] = {name: getattr(options, name) for name in Options.__dataclass_fields__}
    filled |= {
        "environment": system["environment"],
        "cwd": system["cwd"],
        "rlimits": system["shell"]["options"]["rlimit"],
    }
    ours = from_command(["echo", "🥔️"], Options(**filled))
    assert json.dumps(ours) == json.dumps(theirs)


SPEC: dict[str, Any] = {
    "resources": [
        {
            "type": "node",
            "count": 1,
            "with": [
                {
                    "type": "slot",
                    "count": 1,
                    "with": [{"type": "core", "count": 1}, {"type": "gpu", "count": 1}],
                    "label": "task",
                }
            ],
        }
    ],
    "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {
        "system": {
            "duration": 1.5,
            "cwd": "/",
            "dependencies": [{"scheme": "a", "value": "b"}],
            "constraints": {"and": [{"properties": ["a"]}, {"ranks": ["0"]}]},
        },
        "user": {},
    },
    "version": 1,
}
JUNK: list[Any] = [None, True, 0, -1, 2, 1.5, "", "x", [], [1], ["x"], {}, {"x": 1}, {"x": []}]

#: What flux-core accepts, or fails over with words of Python's own, and we refuse: no job could
#: run with it, or RFC 25 or RFC 31 has another type there.
STRICTER = (
    "resources must not be empty",
    "Unable to determine slot",
    "no slot has the label",
    "tasks must have exactly one task",
    "per_slot count: expected 1",
    "gpu count must be > 0",
    "resources must be a sequence",
    "tasks must be a sequence",
    "with must be a sequence",
    "command must be a list of strings",
    "count must be an int or mapping",
    "count per_slot must be an int",
    "resource count must be an integer",
    "attributes.system",
    "dependency must be a mapping",
    "unknown constraint operator",
    "argument to constraint",
    "values of constraint",
    "error parsing range",
    "version must be 1",
)


def mutations() -> list[Any]:
    """The jobspec with something else, or nothing, at each of its places."""
    specs: list[Any] = []

    def visit(path: list[Any], value: Any) -> None:
        for junk in [*JUNK, ...] if path else []:
            spec = copy.deepcopy(SPEC)
            at: Any = spec
            for key in path[:-1]:
                at = at[key]
            if junk is not ...:
                at[path[-1]] = junk
            else:
                del at[path[-1]]
            specs.append(spec)
        children = value.items() if isinstance(value, dict) else ()
        for key, child in enumerate(value) if isinstance(value, list) else children:
            visit([*path, key], child)

    visit([], SPEC)
    return specs


def test_validation(flux_python: RunScript) -> None:
    script = (
        "import json,sys\nfrom flux.job import validate_jobspec\n"
        "def ask(s):\n"
        "    try: validate_jobspec(json.dumps(s), 1)\n"
        "    except (ValueError, TypeError) as exc: return str(exc)\n"
        "    except Exception as exc: return 'crash'\n"
        "print(json.dumps([ask(s) for s in json.load(sys.stdin)]))"
    )
    specs = mutations()
    for spec, theirs in zip(specs, flux_python(script, specs), strict=True):
        try:
            validate(spec)
            ours = None
        except JobspecError as exc:
            ours = exc.text
        # Of two missing keys either may be named.
        same = ours == theirs or (ours or "").split("(")[0] == (theirs or "").split("(")[0]
        assert same or (ours or "").startswith(STRICTER), f"{theirs} | {ours} | {spec}"
