"""What is kept beside the jobs themselves: the greatest id, and the state of the queues."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from fluxcore.kvs.ops import Op, put
from fluxcore.modules.job_manager.machine import Machine

#: Where it is in the KVS.
KEY: Final = "checkpoint.job-manager"
_VERSION: Final = 1


def checkpoint_op(machine: Machine) -> Op:
    """The operation that writes the checkpoint."""
    checkpoint = {
        "version": _VERSION,
        "max_jobid": machine.max_jobid,
        "queue": machine.queues.to_json(),
    }
    return put(KEY, orjson.dumps(checkpoint))


def restore(machine: Machine, checkpoint: Mapping[str, Any]) -> None:
    """Take up what a checkpoint says.

    :raises ValueError: it is of another version, or malformed
    """
    version, max_jobid = checkpoint.get("version", 0), checkpoint.get("max_jobid")
    queues = checkpoint.get("queue", [])
    if version not in (0, _VERSION) or type(max_jobid) is not int or not isinstance(queues, list):
        raise ValueError("malformed checkpoint")
    machine.max_jobid = max(machine.max_jobid, max_jobid)
    machine.queues.restore(queues)
