"""Random jobs come and go in flux-core's resource pool and in ours: the same R each time."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.job.jobspec_build import Options, from_command
from fluxcore.job.jobspec_counts import request
from fluxcore.resource.idset import IdSet
from fluxcore.resource.pool import ResourcePool
from fluxcore.resource.request import UnsatisfiableError
from fluxcore.resource.rset import ResourceSet

pytestmark = [pytest.mark.interop, pytest.mark.slow]

RunScript = Callable[[str, Any], Any]

INVENTORY = {
    "version": 1,
    "execution": {
        "R_lite": [
            {"rank": "0-3", "children": {"core": "0-3", "gpu": "0-1"}},
            {"rank": "4,6", "children": {"core": "0-7"}},
            {"rank": "5", "children": {"core": "0,2,4", "gpu": "0-3"}},
        ],
        "starttime": 0.0,
        "expiration": 0.0,
        "nodelist": ["n[0-6]"],
        "properties": {"fast": "0-2", "gpu": "0-3,5"},
    },
}
SCRIPT = """
import json, sys
from flux.resource import ResourcePool, InsufficientResources, InfeasibleRequest
work = json.load(sys.stdin)
pool = ResourcePool(work["inventory"])
answers = []
for op, *args in work["steps"]:
    try:
        if op == "alloc":
            job, spec = args
            answers.append(pool.alloc(job, pool.parse_resource_request(spec)).to_dict())
        elif op == "free":
            pool.free(args[0], final=True)
        elif op == "up":
            pool.mark_up(args[0])
        else:
            pool.mark_down(args[0])
    except InsufficientResources:
        answers.append("later")
    except InfeasibleRequest as exc:
        answers.append(str(exc))
print(json.dumps(answers))
"""
CONSTRAINTS: list[dict[str, Any] | None] = [
    *[None] * 6,
    {"properties": ["fast"]},
    {"properties": ["^gpu"]},
    {"not": [{"properties": ["fast"]}]},
    {"or": [{"properties": ["fast"]}, {"ranks": "4"}]},
]


def random_spec(rng: random.Random) -> dict[str, Any]:
    nnodes = rng.choice([None, None, 1, 2, 3])
    options = Options(
        nnodes=nnodes,
        ntasks=rng.choice([None, (nnodes or 1) * rng.randint(1, 4)]),
        cores_per_task=rng.choice([1, 1, 2, 3]),
        gpus_per_task=rng.choice([None, None, None, 1, 2]),
    )
    spec = from_command(["true"], options)
    constraint = rng.choice(CONSTRAINTS)
    if constraint is not None:
        spec["attributes"]["system"]["constraints"] = constraint
    return spec


def our_answer(pool: ResourcePool, job: int, spec: dict[str, Any]) -> Any:
    constraint = spec["attributes"]["system"].get("constraints")
    if constraint is not None and "or" in constraint:  # RFC 31 has an array there
        spec = {**spec, "attributes": {"system": {"duration": 0, "constraints": fixed(constraint)}}}
    try:
        rset = pool.alloc(job, request(spec, pool.inventory.inventory()))
    except UnsatisfiableError as exc:
        return str(exc)
    return "later" if rset is None else rset.to_json()


def fixed(constraint: dict[str, Any]) -> dict[str, Any]:
    return {"or": [constraint["or"][0], {"ranks": [constraint["or"][1]["ranks"]]}]}


@pytest.mark.parametrize("seed", range(4))
def test_the_same_r_for_every_job(flux_python: RunScript, seed: int) -> None:
    rng = random.Random(seed)
    pool = ResourcePool(ResourceSet.from_json(INVENTORY))
    steps: list[list[Any]] = []
    answers: list[Any] = []
    running: list[int] = []
    for job in range(300):
        spec = random_spec(rng)
        answer = our_answer(pool, job, spec)
        steps.append(["alloc", job, spec])
        answers.append(answer)
        if isinstance(answer, dict):
            running.append(job)
        while running and rng.random() < 0.5:
            done = running.pop(rng.randrange(len(running)))
            pool.free(done)
            steps.append(["free", done])
        if rng.random() < 0.1:
            rank = rng.randint(0, 6)
            up = rng.random() < 0.7
            (pool.mark_up if up else pool.mark_down)(IdSet([rank]))
            steps.append(["up" if up else "down", str(rank)])
    theirs = flux_python(SCRIPT, {"inventory": INVENTORY, "steps": steps})
    assert len(theirs) == len(answers)
    for at, (ours, expected) in enumerate(zip(answers, theirs, strict=True)):
        assert ours == expected, f"alloc {at}"
    assert sum(isinstance(answer, dict) for answer in answers) > 50
