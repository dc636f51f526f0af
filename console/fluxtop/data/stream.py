"""Streaming responses, taken as they come in handfuls.

A backlog of a thousand log lines arrives in one read; one message to the console for all of
them costs one repaint, not a thousand.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator

from fluxcore.handle.calls import Stream
from fluxcore.handle.errors import rpc_error
from fluxcore.wire.message import Message


async def batches(stream: Stream) -> AsyncGenerator[list[Message], None]:
    """The responses to ``stream``, each time all that have come; ENODATA ends it.

    Iterate over it within :func:`contextlib.aclosing`, so that leaving early ends the stream.

    :raises OSError: the stream ended with another error
    """
    got: list[Message] = []
    ready = asyncio.Event()

    def take(msg: Message) -> None:
        got.append(msg)
        ready.set()

    stream.then(take)
    async with stream:
        while True:
            await ready.wait()
            ready.clear()
            batch = got.copy()
            got.clear()
            end = batch.pop() if batch[-1].errnum else None
            if batch:
                yield batch
            if end is not None:
                if end.errnum == errno.ENODATA:
                    return
                raise rpc_error(end.errnum, end.text)
