"""What a job asks of a pool, and whether so many nodes of such shapes could ever meet it."""

from dataclasses import dataclass
from typing import NamedTuple

from fluxcore.resource.idset import IdSet


class UnsatisfiableError(ValueError):
    """A request that the pool could not meet if it were empty and up."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a job asks for.

    ``nnodes`` is 0 if any nodes will do; else ``nslots``, the number of all slots, is spread
    evenly over so many nodes. ``duration`` is in seconds, 0 for no limit. ``ranks`` are the
    only ones that may be used (from a constraint, through the set's inventory), None for all.
    """

    nnodes: int
    nslots: int
    cores_per_slot: int
    gpus_per_slot: int = 0
    exclusive: bool = False
    duration: float = 0.0
    ranks: IdSet | None = None


class Shape(NamedTuple):
    """How many cores and gpus a node has, or has free, negated: the fullest sorts first."""

    cores: int
    gpus: int

    def slots(self, request: Request) -> int:
        """How many slots of ``request`` fit."""
        fit = -self.cores // request.cores_per_slot
        if request.gpus_per_slot:
            fit = min(fit, -self.gpus // request.gpus_per_slot)
        return fit


#: Shapes of nodes, and how many nodes have each.
Shapes = list[tuple[Shape, int]]


def check_satisfiable(request: Request, shapes: Shapes) -> None:
    """Check that nodes of ``shapes``, all free, could meet ``request``.

    :raises UnsatisfiableError: they could not: why, in flux-core's words
    """
    if request.nnodes:
        _check_nodes(request, shapes)
    else:
        _check_slots(request, shapes)


def _check_nodes(request: Request, shapes: Shapes) -> None:
    slots = request.nslots // request.nnodes
    eligible = sum([n for shape, n in shapes if shape.slots(request) >= slots])
    if eligible >= request.nnodes:
        return
    if request.exclusive:
        raise UnsatisfiableError(
            f"unsatisfiable request: need {request.nnodes} exclusive node(s), "
            f"only {eligible} eligible"
        )
    gpus = slots * request.gpus_per_slot
    raise UnsatisfiableError(
        f"unsatisfiable request: need {request.nnodes} node(s) with "
        f"{slots * request.cores_per_slot} cores{f' and {gpus} GPUs' if gpus else ''} each, "
        f"only {eligible} eligible"
    )


def _check_slots(request: Request, shapes: Shapes) -> None:
    need = request.nslots
    by_cores = sum([-shape.cores // request.cores_per_slot * n for shape, n in shapes])
    if by_cores < need:
        cores = sum([-shape.cores * n for shape, n in shapes])
        raise UnsatisfiableError(
            f"unsatisfiable request: need {need} slot(s) of {request.cores_per_slot} core(s), "
            f"only {by_cores} such slot(s) available (total cores: {cores})"
        )
    fit = sum([shape.slots(request) * n for shape, n in shapes])
    if fit < need:
        gpus = sum([-shape.gpus * n for shape, n in shapes])
        raise UnsatisfiableError(
            f"unsatisfiable request: need {need} slot(s) with {request.gpus_per_slot} GPU(s) "
            f"each, only {fit} available (total GPUs: {gpus})"
        )
