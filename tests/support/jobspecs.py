"""Jobspecs and resource sets for tests."""

from collections.abc import Mapping, Sequence
from typing import Any


def make_jobspec(
    *command: str,
    tasks: int = 1,
    nodes: int = 0,
    cores: int = 1,
    gpus: int = 0,
    environment: Mapping[str, str] | None = None,
    duration: float = 0.0,
    system: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """A jobspec of ``tasks`` tasks on so many nodes, each with ``cores`` cores.

    ``options`` are the shell's, with underscores for hyphens.
    """
    resources = [{"type": "core", "count": cores}]
    if gpus:
        resources.append({"type": "gpu", "count": gpus})
    slots = -(-tasks // max(nodes, 1))
    slot = {"type": "slot", "count": slots, "with": resources, "label": "task"}
    count = {"total": tasks} if nodes and slots * nodes != tasks else {"per_slot": 1}
    shell = {"options": {name.replace("_", "-"): value for name, value in options.items()}}
    return {
        "version": 1,
        "resources": [{"type": "node", "count": nodes, "with": [slot]}] if nodes else [slot],
        "tasks": [{"command": list(command or ("true",)), "slot": "task", "count": count}],
        "attributes": {
            "system": {
                "duration": duration,
                "cwd": "/tmp",
                "environment": {"PATH": "/usr/bin:/bin", **(environment or {})},
                "shell": shell,
                **(system or {}),
            }
        },
    }


def make_r(
    ranks: Sequence[int],
    cores: int | Sequence[int] = 1,
    *,
    gpus: int = 0,
    starttime: float = 0.0,
    expiration: float = 0.0,
) -> dict[str, Any]:
    """An R of so many cores on each of ``ranks``, whose hosts are host0, host1, ..."""
    counts = [cores] * len(ranks) if isinstance(cores, int) else cores
    entries = []
    for rank, count in zip(ranks, counts, strict=True):
        children = {"core": ",".join(map(str, range(count)))}
        if gpus:
            children["gpu"] = ",".join(map(str, range(gpus)))
        entries.append({"rank": str(rank), "children": children})
    return {
        "version": 1,
        "execution": {
            "R_lite": entries,
            "starttime": starttime,
            "expiration": expiration,
            "nodelist": [f"host{rank}" for rank in ranks],
        },
    }
