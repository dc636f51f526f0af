"""What a user must know before leaving a console that has started an instance."""

import errno

from fluxtop.data.jobs import CountActive
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk


async def what_ends(desk: Desk, *, shown: bool) -> str:
    """What ends with the instance that the console has started; empty if that is nothing.

    ``shown`` is false if the console shows another instance by now.
    """
    if not shown:
        return "the embedded instance ends too, with the jobs in it"
    trouble = desk.source.connection.trouble
    if trouble is not None and trouble.errnum == errno.ECHILD:
        return ""  # it has not started, or has ended
    try:
        active = await desk.source.call(CountActive())
    except OSError as exc:
        return f"whether jobs end with the instance is unknown ({Trouble.of(exc)})"
    if not active:
        return ""
    jobs = "1 job ends" if active == 1 else f"{active} jobs end"
    return f"{jobs} with the instance"
