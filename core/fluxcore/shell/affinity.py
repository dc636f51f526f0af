"""Which processors the cores of R are, and which of them each task gets (CONTRACTS D21).

A core's number in R is its place among the cores that this process may use, counted as the
resource module counts them.
"""

from collections.abc import Sequence
from typing import Final

from fluxcore.resource.idset import IdSet
from fluxcore.shell.errors import ShellError, init_error

Cpus = frozenset[int]

#: Processors that Linux can be built for.
_MOST: Final = 8192


def bind(option: str, ids: IdSet, ntasks: int, have: Sequence[Cpus]) -> list[Cpus | None]:
    """What each of ``ntasks`` tasks of a node is bound to; None is not bound.

    ``option`` is cpu-affinity: ``off``, ``on`` (all tasks to all the cores ``ids``),
    ``per-task`` (each to its share of them) or ``map:LIST``, a list of processors for each.

    :raises ShellError: a list is malformed
    """
    option = option.removeprefix("verbose").lstrip(",")
    if option == "off" or option.startswith("dry-run") or not have:
        return [None] * ntasks
    if option.startswith("map:"):
        return _mapped(option.removeprefix("map:"), ntasks)
    if not ids or ids.last >= len(have):
        # R says more than this machine has: an instance of several brokers on one machine, or
        # one with resources from a file.
        return [None] * ntasks
    mine = [have[core] for core in ids]
    if option == "per-task":
        return [_union(_share(mine, task, ntasks)) for task in range(ntasks)]
    return [_union(mine)] * ntasks


def _share(mine: Sequence[Cpus], task: int, ntasks: int) -> Sequence[Cpus]:
    """The cores of one task: a run of them, or with more tasks than cores a single one."""
    first = task * len(mine) // ntasks
    return mine[first : max((task + 1) * len(mine) // ntasks, first + 1)]


def _union(parts: Sequence[Cpus]) -> Cpus:
    return frozenset().union(*parts)


def _mapped(text: str, ntasks: int) -> list[Cpus | None]:
    lists = [_cpus(part) for part in text.split(";") if part]
    if not lists:
        raise _invalid(text)
    return [lists[task % len(lists)] for task in range(ntasks)]


def _cpus(text: str) -> Cpus:
    try:
        if text.startswith("0x"):
            cpus = IdSet.from_mask(int(text.replace(",", ""), 16))
        else:
            cpus = IdSet.decode(text)
    except ValueError:
        raise _invalid(text) from None
    if not cpus or cpus.last >= _MOST:
        raise _invalid(text)
    return frozenset(cpus)


def _invalid(text: str) -> ShellError:
    message = f"cpuset {text} contains no cores or is invalid"
    return init_error("cpu-affinity", message, "cpu-affinity")
