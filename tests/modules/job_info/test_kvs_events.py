"""Events from the KVS, handed on in pieces."""

import asyncio
import base64
import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.handle.aio import Flux
from fluxcore.modules.job_info.kvs_events import KvsEvents
from fluxcore.wire.message import Message, error_response, response


class Followed:
    """A log that is followed, and who appends to it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._sent: list[Message] = []
        self.flux = Flux(self._sent.append)
        self.events = KvsEvents(self.flux, "job-1", "output", 0, self._data, self.told.append)
        self.events.start()
        self.stopping_at: bytes | None = None

    def _data(self, data: bytes | None) -> None:
        self.told.append(data)
        if data is not None and data == self.stopping_at:
            self.events.stop()

    def append(self, data: bytes) -> None:
        val = {"ver": 1, "type": "val", "data": base64.b64encode(data).decode()}
        self.flux.receive(response(self._sent[0], {"val": val}))

    def end(self, errnum: int) -> None:
        self.flux.receive(error_response(self._sent[0], errnum))

    async def until(self, last: object) -> None:
        async with asyncio.timeout(10):
            while not self.told or type(self.told[-1]) is not type(last):
                await asyncio.sleep(0)


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=12))
def test_all_is_told_in_order_and_never_much_in_one_turn(sizes: list[int]) -> None:
    async def follow() -> None:
        log = Followed()
        data = [b"x" * size + b"\n" for size in sizes]
        log.append(b"".join(data))
        assert sum(map(len, log.told[:-1])) < 1 << 14, "only the last line may be longer"
        log.append(b"last\n")
        log.end(errno.ENODATA)
        await log.until(OSError())
        assert b"".join(log.told[:-1]) == b"".join(data) + b"last\n"
        assert all(part.endswith(b"\n") for part in log.told[:-1])
        assert log.told[-1].errno == errno.ENODATA
        await log.flux.close()

    asyncio.run(follow())


async def test_nothing_is_told_after_a_stop() -> None:
    log = Followed()
    line = b"y" * 20_000 + b"\n"
    log.stopping_at = line
    log.append(line * 5)
    log.append(b"more\n")
    for _ in range(10):
        await asyncio.sleep(0)
    assert log.told == [line]
    await log.flux.close()


@pytest.mark.parametrize("before", [b"", b"z" * 50_000 + b"\n"])
async def test_a_log_that_is_overwritten_ends(before: bytes) -> None:
    log = Followed()
    if before:
        log.append(before + before)
    log.append(b"")
    await log.until(OSError())
    assert log.told[-1].errno == errno.EINVAL
    assert b"".join(log.told[:-1]) == before * 2
    await log.flux.close()
