"""content.checkpoint-get and -put: the checkpoints that the backing store keeps (CONTRACTS C19)."""

import asyncio
import errno
from collections.abc import Callable

from fluxcore.handle.calls import Call
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.modules.content.writeback import Flushed
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, Payload


class CheckpointService(Service):
    """Passes checkpoints on towards the backing store.

    ``ask`` sends a request that way, ``flush`` calls back when all that is dirty here is written,
    and ``available`` tells whether that way leads anywhere.
    """

    def __init__(
        self,
        ask: Callable[[str, Payload], Call],
        flush: Callable[[Flushed], None],
        available: Callable[[], bool],
    ) -> None:
        self._ask = ask
        self._flush = flush
        self._available = available

    @method("content.checkpoint-get")
    async def get(self, _req: Message) -> Reply:
        """-> ``{value: [checkpoint, ...]}``, the latest first."""
        self._check("get")
        answer = await self._ask("checkpoint-get", None)
        return {"value": answer.json["value"]}

    @method("content.checkpoint-put")
    async def put(self, req: Message) -> Reply:
        """``{value: checkpoint}``: keep it, once all that it refers to is written."""
        self._check("put")
        if "value" not in req.json:
            raise PayloadError
        if errnum := await self._until_flushed():
            raise rpc_error(errnum, "error flushing content")
        await self._ask("checkpoint-put", {"value": req.json["value"]})
        return None

    def _check(self, what: str) -> None:
        if not self._available():
            raise rpc_error(errno.ENOSYS, f"checkpoint {what} unavailable, no backing store")

    async def _until_flushed(self) -> int:
        flushed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def then(errnum: int) -> None:
            if not flushed.done():
                flushed.set_result(errnum)

        self._flush(then)
        return await flushed
