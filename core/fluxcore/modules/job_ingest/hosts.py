"""The hosts that a jobspec asks for by name: those the instance has not are a mistake."""

import errno
from collections.abc import Iterator
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.job.jobspec import Jobspec
from fluxcore.resource.constraint import Constraint
from fluxcore.resource.hostlist import Hostlist


def check_hosts(jobspec: Jobspec, hosts: Hostlist) -> None:
    """Check the constraints of a checked jobspec; ``hosts`` are the instance's.

    :raises OSError: EPERM, as in flux-core, and which are unknown
    """
    constraint = jobspec["attributes"]["system"].get("constraints")
    if constraint is None:
        return
    for value in _hostlists(constraint):
        missing = Hostlist(host for host in Hostlist.decode(value) if host not in hosts)
        if missing:
            which = f"host{'s' if len(missing) > 1 else ''} '{missing.encode()}' not found"
            text = f"host constraint contains invalid hosts: {which}"
            raise rpc_error(errno.EPERM, text)


def _hostlists(constraint: Constraint) -> Iterator[str]:
    values: list[Any]
    for operator, values in constraint.items():
        if operator == "hostlist":
            yield from values
        elif operator in ("and", "or", "not"):
            for below in values:
                yield from _hostlists(below)
