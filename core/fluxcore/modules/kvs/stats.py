"""kvs.stats-get (CONTRACTS C11)."""

from typing import Any

from fluxcore.handle.tstat import Tstat
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.namespace import Namespace, Namespaces
from fluxcore.modules.kvs.machines import Machines
from fluxcore.wire.message import Message


def kvs_stats(
    machines: Machines, namespaces: Namespaces[Message], opcount: Tstat, pending: int
) -> dict[str, Any]:
    """The object as flux-core has it: sizes in KiB are whole numbers at the extremes."""
    sizes = Tstat()
    for stored in machines.cache:
        sizes.push(len(stored.blob))
    return {
        "cache": {
            "obj size total (MiB)": sizes.mean * sizes.count / (1 << 20),
            "obj size (KiB)": _tstat(sizes, 1e-3),
            "#obj dirty": 0,
            "#obj incomplete": machines.loading,
            "#faults": machines.faults,
        },
        "namespace": {ns.name: _namespace(ns) for ns in namespaces}
        or {PRIMARY: dict.fromkeys(_NAMESPACE_KEYS, 0)},
        "transaction-opcount": {"commit": _tstat(opcount, 1.0)},
        "pending_requests": pending,
    }


_NAMESPACE_KEYS = (
    "#versionwaiters",
    "#no-op stores",
    "#transactions",
    "#readytransactions",
    "store revision",
)


def _namespace(namespace: Namespace[Message]) -> dict[str, int]:
    values = (
        len(namespace.waiters),
        namespace.known_stores,
        len(namespace.commits),
        len(namespace.queue),
        namespace.rootseq,
    )
    return dict(zip(_NAMESPACE_KEYS, values, strict=True))


def _tstat(series: Tstat, scale: float) -> dict[str, float]:
    return {
        "count": series.count,
        "min": int(series.min * scale),
        "mean": series.mean * scale,
        "stddev": series.stddev * scale,
        "max": int(series.max * scale),
    }
