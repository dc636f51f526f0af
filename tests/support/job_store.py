"""What there is of a job in the KVS, written by hand: for tests of job-info."""

from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.job.eventlog import Event
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs import ops
from fluxcore.wire import constants as c
from support.wired import OWNER, Client, Wired

JOBID = 38285606912
GUEST = OWNER + 1


class JobStore:
    """Job ``JOBID``, which belongs to ``GUEST``."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        self.flux: Flux = wired.flux()

    def client(self, userid: int = OWNER, rank: int = 0) -> Client:
        role = c.ROLE_OWNER if userid == OWNER else c.ROLE_USER
        return self.wired.client(rank, userid, role)

    async def put(self, key: str, value: object) -> None:
        """Write a value, as JSON if it is no bytes."""
        data = value if isinstance(value, bytes) else orjson.dumps(value)
        await self.commit(ops.put(kvs_key(JOBID, key), data))

    async def event(self, name: str, key: str = "eventlog", **context: object) -> bytes:
        """Append an event to one of the job's logs."""
        line = Event(3.0, name, context or None).encode()
        await self.append(key, line)
        return line

    async def append(self, key: str, data: bytes) -> None:
        """Append something to one of the job's logs."""
        await self.commit(ops.append(kvs_key(JOBID, key), data))

    async def commit(self, *todo: ops.Op) -> None:
        await self.flux.rpc("kvs.commit", {"namespace": "primary", "flags": 0, "ops": list(todo)})

    async def submitted(self) -> bytes:
        """The first event."""
        return await self.event("submit", userid=GUEST, urgency=16, flags=0, version=1)

    async def stats(self, rank: int = 0) -> dict[str, Any]:
        return dict((await self.flux.rpc("job-info.stats-get", nodeid=rank)).json)
