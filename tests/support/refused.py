"""What a failed call says."""

from collections.abc import Awaitable

import pytest


async def refused(call: Awaitable[object]) -> tuple[int | None, str | None]:
    """The errno and text that an RPC, or anything else that is awaited, fails with."""
    with pytest.raises(OSError) as caught:
        await call
    return caught.value.errno, caught.value.strerror
