"""What this machine has: the cores that this process may use."""

import os
from pathlib import Path
from typing import Final

from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node

_TOPOLOGY: Final = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def discover(rank: int, host: str) -> ResourceSet:
    """The resources of broker ``rank`` on ``host``: the cores it may run on, numbered from 0."""
    return ResourceSet({rank: Node(host, (1 << len(core_cpus())) - 1, 0)})


def core_cpus() -> list[frozenset[int]]:
    """For each core that this process may use the CPUs (hardware threads) that it may use of it.

    Where the system does not tell which CPUs share a core, each is one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [frozenset((cpu,)) for cpu in range(os.cpu_count() or 1)]
    cores: dict[str, list[int]] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        cores.setdefault(_siblings(cpu), []).append(cpu)
    return [frozenset(cpus) for cpus in cores.values()]


def _siblings(cpu: int) -> str:
    """What the CPUs of one core have in common."""
    try:
        return Path(_TOPOLOGY.format(cpu)).read_text().strip()
    except OSError:
        return str(cpu)


def differences(expected: ResourceSet, found: ResourceSet, rank: int) -> str:
    """What ``found`` lacks of what is expected on ``rank``, in words; empty if nothing."""
    node, real = expected.nodes.get(rank), found.nodes[rank]
    if node is None:
        return f"rank {rank} not found in expected ranks"
    if node.host and node.host != real.host:
        return f"rank {rank} got hostname '{real.host}', expected '{node.host}'"
    missing = expected.subset(found.ranks) - found
    if any(lost.cores for lost in missing.nodes.values()):
        cores = missing.summary().partition("/")[2].partition(",")[0]
        return f"rank {rank} ({real.host}) missing resources: {cores}"
    return ""
