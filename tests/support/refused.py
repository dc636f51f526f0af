"""What a failed call says."""

import errno
import os
from collections.abc import Awaitable

import pytest


def _plain(errnum: int) -> tuple[int, str]:
    """What is said by an error that has no text of its own."""
    return errnum, os.strerror(errnum)


EEXIST = _plain(errno.EEXIST)
EINVAL = _plain(errno.EINVAL)
ENOENT = _plain(errno.ENOENT)
EPROTO = _plain(errno.EPROTO)
#: What a guest is told who asks for what the owner alone may do.
OWNER_ONLY = (errno.EPERM, "Request requires owner credentials")


async def refused(call: Awaitable[object]) -> tuple[int | None, str | None]:
    """The errno and text that an RPC, or anything else that is awaited, fails with."""
    with pytest.raises(OSError) as caught:
        await call
    return caught.value.errno, caught.value.strerror


async def fails(call: Awaitable[object], errnum: int, text: str | None = None) -> None:
    """What is awaited fails with that errno, and with ``text`` if that is given."""
    said = await refused(call)
    assert said[0] == errnum
    if text is not None:
        assert said[1] == text
