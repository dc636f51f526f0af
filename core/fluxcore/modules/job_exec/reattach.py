"""Finding a job again after a restart of the instance or of job-exec (RFC 32, RFC 50).

Only a mocked job can be: the tasks of others are gone.
"""

import asyncio
import errno
import os
import time
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.job.eventlog import Event, decode_log
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import kind_of, single_ref, val_bytes
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.modules.job_exec.running import RunningJob

_TREEOBJ: Final = 16
#: Seconds that a job has left at least, so that it ends as others do.
_AT_LEAST: Final = 1e-5


async def reattach(flux: Flux, running: RunningJob) -> None:
    """Let a mocked job go on for the time that it has left; fail any other."""
    try:
        await _reattach(flux, running)
    except (OSError, ValueError) as exc:
        text = exc.strerror if isinstance(exc, OSError) else str(exc)
        running.act(lambda job, now: job.fail(str(text), now))


async def _reattach(flux: Flux, running: RunningJob) -> None:
    test = running.job.mock
    if test is None:
        text = f"reattach to running job is not implemented: {os.strerror(errno.ENOSYS)}"
        raise rpc_error(errno.ENOSYS, text)
    await _find_namespace(flux, running)
    records = await _eventlog(flux, f"job-{running.start.id}", "exec.eventlog")
    if not any(event.name == "recoverable" for event in records):
        raise ValueError("job is not recoverable: no recoverable event")
    history = await _eventlog(flux, PRIMARY, kvs_key(running.start.id, "eventlog"))
    started = next((event.timestamp for event in history if event.name == "start"), 0.0)
    left = started + test.duration - time.time()
    if test.reattach_finish:
        left = 0.0
    running.act(lambda job, now: _go_on(job, now, max(left, _AT_LEAST)))


def _go_on(job: ExecJob, now: float, left: float) -> None:
    if job.phase == "init":
        job.records.event(now, "reattach")
        job.mock_reattached(now, left)


async def _find_namespace(flux: Flux, running: RunningJob) -> None:
    """Have the job's namespace again: it is still there, or what was kept of it is."""
    payload = {
        "key": kvs_key(running.start.id, "guest"),
        "namespace": PRIMARY,
        "flags": _TREEOBJ,
    }
    kept = (await flux.rpc("kvs.lookup", payload)).json["val"]
    if kind_of(kept) != "dirref":
        text = f"failed to create guest ns: {os.strerror(errno.ENOENT)}"
        raise rpc_error(errno.ENOENT, text)
    made: asyncio.Future[OSError | None] = flux.loop.create_future()
    running.make_guest().recreate(single_ref(kept), running.start.userid, made.set_result)
    error = await made
    if error is not None and error.errno != errno.EEXIST:
        raise rpc_error(error.errno or 0, f"failed to create guest ns: {error.strerror}")


async def _eventlog(flux: Flux, namespace: str, key: str) -> list[Event]:
    payload = {"key": key, "namespace": namespace, "flags": 0}
    answer = await flux.rpc("kvs.lookup", payload)
    return decode_log(val_bytes(answer.json["val"]))
