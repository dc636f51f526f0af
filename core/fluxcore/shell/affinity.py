"""Which processors the cores of R are, and which of them each task gets (CONTRACTS D21).

A core's number in R is its place among the cores that this process may use, counted as the
resource module counts them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fluxcore.resource.idset import IdSet
from fluxcore.shell.errors import ShellError, init_error

_SYS: Final = Path("/sys/devices/system/cpu")

Cpus = frozenset[int]


def cores() -> list[Cpus]:
    """The processors of each core that this process may use; none where that is not known.

    Processors that share a core are one core.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = os.sched_getaffinity(0)
    found: dict[int, set[int]] = {}
    for cpu in sorted(allowed):
        found.setdefault(min(_siblings(cpu) & allowed, default=cpu), set()).add(cpu)
    return [frozenset(cpus) for cpus in found.values()]


def _siblings(cpu: int) -> set[int]:
    path = _SYS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
    try:
        return set(IdSet.decode(path.read_text().strip()))
    except (OSError, ValueError):
        return {cpu}


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
    if not cpus:
        raise _invalid(text)
    return frozenset(cpus)


def _invalid(text: str) -> ShellError:
    message = f"cpuset {text} contains no cores or is invalid"
    return init_error("cpu-affinity", message, "cpu-affinity")
