"""What rc1 loads, what rc3 removes, and how jobs are ended in between: the broker's own scripts.

They run inside the broker, as requests on its handle: an instance starts no program but the one
it was started for. ``-Sbroker.rc1_path=`` (or rc3_path) names a command to run instead, or none.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR

#: The value of broker.rc1_path and rc3_path that stands for the tables here.
BUILTIN: Final = "builtin"


@dataclass(frozen=True, slots=True)
class Step:
    """A module to load. ``leader`` says that only rank 0 does."""

    module: str
    leader: bool = False
    args: tuple[str, ...] = ()


#: In the order of loading; each needs some of those before it.
RC1: Final = (
    Step("heartbeat"),
    Step("barrier"),
    Step("content"),
    Step("content-sqlite", leader=True),
    Step("kvs"),
    Step("kvs-watch"),
    Step("resource"),
    Step("job-manager", leader=True),
    Step("job-info"),
    Step("job-list", leader=True),
    Step("job-ingest"),
    Step("job-exec"),
    Step("sched-simple", leader=True),
)

#: The module that stands behind content-backing by default (attribute content.backing-module).
DEFAULT_BACKING: Final = "content-sqlite"


def steps(rank: int, backing: str) -> list[Step]:
    """What rank ``rank`` loads, with the backing store that was chosen ("none" for none)."""
    chosen = []
    for step in RC1:
        if step.leader and rank > 0:
            continue
        if step.module == DEFAULT_BACKING:
            if backing == "none":
                continue
            step = Step(backing, leader=True)
        chosen.append(step)
    return chosen


async def rc1(flux: Flux, rank: int, backing: str) -> int:
    """Load the modules; 0, or 1 with the failure in the log."""
    for step in steps(rank, backing):
        try:
            await flux.rpc("module.load", {"path": step.module, "args": list(step.args)})
        except OSError as exc:
            flux.log(LOG_ERR, f"rc1.0: load {step.module}: {exc.strerror}")
            return 1
    return 0


async def rc3(flux: Flux, rank: int, backing: str) -> int:
    """Remove what rc1 loaded and is still there, in reverse; 0, or 1 with the log saying why."""
    code = 0
    for step in reversed(steps(rank, backing)):
        try:
            if step.module == backing:
                await _flush(flux)
        except OSError as exc:
            flux.log(LOG_ERR, f"rc3.0: content cannot be written, and is lost: {exc.strerror}")
            code = 1
        try:
            await flux.rpc("module.remove", {"name": step.module})
        except FileNotFoundError:
            continue
        except OSError as exc:
            flux.log(LOG_ERR, f"rc3.0: remove {step.module}: {exc.strerror}")
            code = 1
    return code


async def _flush(flux: Flux) -> None:
    try:
        await flux.rpc("content.flush")
    except OSError as exc:
        if exc.errno != errno.ENOSYS:  # somebody has removed the modules
            raise


async def cleanup(flux: Flux) -> int:
    """End the jobs of an instance that goes down: start no more, cancel those that run, and wait.

    Jobs that only wait are left as they are: an instance that comes back on the same statedir goes
    on with them. With FLUX_DISABLE_JOB_CLEANUP in the environment nothing is done.
    """
    if _DISABLE in os.environ:
        return 0
    for topic, payload in _CLEANUP:
        try:
            await flux.rpc(topic, payload)
        except OSError as exc:
            if exc.errno == errno.ENOSYS:
                continue  # the module is not loaded
            flux.log(LOG_ERR, f"cleanup.0: {topic}: {exc.strerror}")
            return 1
    return 0


_DISABLE: Final = "FLUX_DISABLE_JOB_CLEANUP"

#: RUN in the bits of RFC 21.
_RUN_STATES: Final = 16

#: Every user, to job-manager.raiseall.
_ALL_USERS: Final = 0xFFFFFFFF

#: What cleanup asks for, in this order. (A follower that leaves from now on takes nothing from the
#: scheduler: that is acquire-mute.)
_CLEANUP: Final[tuple[tuple[str, Mapping[str, object] | None], ...]] = (
    ("job-manager.queue-start", {"start": False, "all": True, "nocheckpoint": True}),
    ("resource.acquire-mute", None),
    (
        "job-manager.raiseall",
        {
            "dry_run": False,
            "userid": _ALL_USERS,
            "states": _RUN_STATES,
            "severity": 0,
            "type": "cancel",
        },
    ),
    ("job-manager.idle", None),
)
