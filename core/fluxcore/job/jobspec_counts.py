"""What a jobspec asks for, in numbers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fluxcore.job.jobspec import Jobspec
from fluxcore.resource.constraint import Inventory
from fluxcore.resource.request import Request


class Counts(NamedTuple):
    """The resources and tasks that a jobspec asks for.

    ``nnodes`` is 0 if the jobspec names no nodes. ``nslots`` is the number of all slots, on all
    nodes. ``duration`` is in seconds, 0 for no limit.
    """

    nnodes: int
    nslots: int
    cores_per_slot: int
    gpus_per_slot: int
    ntasks: int
    duration: float
    exclusive: bool

    @property
    def ncores(self) -> int:
        """All cores of all slots."""
        return self.nslots * self.cores_per_slot

    @property
    def ngpus(self) -> int:
        """All gpus of all slots."""
        return self.nslots * self.gpus_per_slot


def total(jobspec: Jobspec) -> Counts:
    """What a valid jobspec asks for.

    As flux-core has it: a resource around the nodes multiplies them, and whole nodes for slots
    without a node mean a node for each slot.
    """
    nnodes = slots = cores = gpus = 0
    exclusive = False
    for kind, count, outer, resource in _walk(jobspec["resources"], 1):
        if kind == "node":
            nnodes = count * outer
        elif kind == "slot":
            slots = count
        elif kind == "core":
            cores = count
        elif kind == "gpu":
            gpus = count
        if kind in ("node", "slot"):
            exclusive |= resource.get("exclusive", False)
    if exclusive and not nnodes:
        nnodes, slots = slots, 1
    nslots = slots * max(nnodes, 1)
    ntasks = _ntasks(jobspec, nnodes, nslots, cores)
    duration = float(jobspec["attributes"]["system"]["duration"])
    return Counts(nnodes, nslots, cores, gpus, ntasks, duration, exclusive)


def request(jobspec: Jobspec, inventory: Inventory) -> Request:
    """What a valid jobspec asks of a pool with ``inventory``."""
    counts = total(jobspec)
    constraint = jobspec["attributes"]["system"].get("constraints")
    return Request(
        counts.nnodes,
        counts.nslots,
        counts.cores_per_slot,
        counts.gpus_per_slot,
        counts.exclusive,
        counts.duration,
        inventory.matching(constraint) if constraint else None,
    )


def _walk(
    resources: list[dict[str, Any]], outer: int
) -> Iterator[tuple[str, int, int, dict[str, Any]]]:
    """Each resource with its count and the product of the counts around it."""
    for resource in resources:
        kind, count = resource["type"], resource["count"]
        yield kind, count, outer, resource
        around = outer if kind == "node" else outer * count
        yield from _walk(resource.get("with", ()), around)


def _ntasks(jobspec: Jobspec, nnodes: int, nslots: int, cores: int) -> int:
    options = jobspec["attributes"]["system"].get("shell", {}).get("options", {})
    per_resource = options.get("per-resource")
    if per_resource is not None:
        number = per_resource.get("count", 1)
        return int(number * (nnodes if per_resource.get("type") == "node" else nslots * cores))
    count = jobspec["tasks"][0]["count"]
    return int(count.get("total", nslots))
