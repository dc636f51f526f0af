"""Who may see what is known of a job: its owner, and the instance's.

A job's owner is named by the first event of its eventlog. Owners are remembered for the jobs asked
for last.
"""

import errno
from collections import OrderedDict
from typing import Final

import orjson

from fluxcore.handle.errors import rpc_error
from fluxcore.wire.constants import ROLE_OWNER
from fluxcore.wire.message import Message

DENIED: Final = "access is restricted to job/instance owner"
_REMEMBERED: Final = 1000


class Owners:
    """The owners of jobs, as far as they have been asked for."""

    def __init__(self) -> None:
        self._owners: OrderedDict[int, int] = OrderedDict()

    def allows(self, req: Message, jobid: int) -> bool | None:
        """True if the sender of ``req`` may see the job; None if its owner is not known."""
        owner = self._owners.get(jobid)
        if owner is None:
            return None
        self._owners.move_to_end(jobid)
        return bool(req.rolemask & ROLE_OWNER) or req.userid == owner

    def check(self, req: Message, jobid: int, eventlog: bytes) -> None:
        """Learn the job's owner from its eventlog.

        :raises OSError: EPERM, the sender of ``req`` may not see the job; EPROTO, the log does
            not begin as logs do
        """
        self._owners[jobid] = _owner(eventlog)
        if len(self._owners) > _REMEMBERED:
            self._owners.popitem(last=False)
        if not self.allows(req, jobid):
            raise rpc_error(errno.EPERM, DENIED)


def _owner(eventlog: bytes) -> int:
    line = eventlog.partition(b"\n")[0]
    try:
        event = orjson.loads(line)
        if event["name"] == "submit" and type(event["context"]["userid"]) is int:
            return int(event["context"]["userid"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass  # said below
    raise rpc_error(errno.EPROTO, "error parsing eventlog")
