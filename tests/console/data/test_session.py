import asyncio
import errno

import pytest

from fluxcore.handle.aio import Flux
from fluxtop.data.connection import Phase
from fluxtop.data.log import LogBatch, LogWatch
from fluxtop.data.module_operations import RemoveModule
from fluxtop.data.modules import ModuleList, ModulesOf
from fluxtop.data.session import Session, located
from fluxtop.data.trouble import Trouble

MODULE = {
    "name": "kvs",
    "path": "builtin",
    "idle": 3,
    "status": 1,
    "services": ["kvs"],
    "sendqueue": 0,
    "recvqueue": 0,
}


class Sink:
    def __init__(self) -> None:
        self.got: list[object] = []
        self._more = asyncio.Event()

    def __call__(self, message: object) -> None:
        self.got.append(message)
        self._more.set()

    async def wait(self, count: int) -> list[object]:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self._more.clear()
                await self._more.wait()
        return self.got


@pytest.fixture
async def session(broker):
    faults: list[Exception] = []
    session = Session(lambda: located("local:///x"), faults=faults.append, dial=broker.dial)
    runs = asyncio.create_task(session.run())
    yield session
    await session.close()
    await asyncio.wait_for(runs, 5)
    assert faults == []


async def reached(session: Session, phase: Phase) -> None:
    done = asyncio.Event()
    session.on_connection(lambda connection: done.set() if connection.phase is phase else None)
    if session.connection.phase is not phase:
        await asyncio.wait_for(done.wait(), 5)


async def test_a_watch_made_before_the_connection_is_followed_once_it_is_up(session, broker):
    broker.answers["module.list"] = lambda _req: {"mods": [MODULE]}
    sink = Sink()
    session.watch(ModulesOf(0), sink)
    (message,) = await sink.wait(1)
    assert isinstance(message, ModuleList)
    assert message.rows[0].name == "kvs"


async def test_a_service_that_fails_is_told_with_errno_and_text(session, broker):
    sink = Sink()
    session.watch(ModulesOf(0), sink)
    (message,) = await sink.wait(1)
    assert message == Trouble(errno.ENOSYS, "No service matching module.list is registered")
    assert str(message).startswith("ENOSYS: ")


async def test_a_lost_broker_is_dialled_again_and_its_watches_go_on(session, broker):
    sink = Sink()
    session.watch(LogWatch(0), sink)
    await broker.until(lambda: len(broker.streams) == 1)
    broker.tell(broker.streams[0], b"<56>1 2026-11-22T11:26:57.5Z 0 broker 1 - - one\0")
    await sink.wait(1)
    broker.lose()
    assert session.connection.phase is Phase.WAITING
    session.retry()
    await broker.until(lambda: len(broker.streams) == 2)
    broker.tell(broker.streams[1], b"<56>1 2026-11-22T11:26:57.5Z 0 broker 1 - - two\0")
    batches = await sink.wait(2)
    assert [b.first for b in batches if isinstance(b, LogBatch)] == [True, True]


async def test_a_stopped_watch_cancels_its_stream(session, broker):
    watch = session.watch(LogWatch(0), Sink())
    await broker.until(lambda: len(broker.streams) == 1)
    watch.stop()
    await broker.until(lambda: "log.cancel" in broker.topics())
    assert broker.requests[-1].json == {"matchtag": broker.streams[0].matchtag}


async def test_a_stream_gives_what_has_come_together_at_once(session, broker):
    sink = Sink()
    session.watch(LogWatch(0), sink)
    await broker.until(lambda: len(broker.streams) == 1)
    for n in range(100):
        broker.tell(broker.streams[0], b"<56>1 2026-11-22T11:26:57.5Z 0 x 1 - - %d\0" % n)
    (batch,) = await sink.wait(1)
    assert [entry.text for entry in batch.entries] == [str(n) for n in range(100)]


async def test_an_operation_is_carried_out(session, broker):
    await reached(session, Phase.UP)
    broker.answers["module.remove"] = lambda _req: {}
    await session.call(RemoveModule(2, "kvs"))
    request = broker.requests[-1]
    assert (request.topic, request.nodeid) == ("module.remove", 2)
    assert request.json == {"name": "kvs", "cancel": False}


async def test_an_operation_without_a_connection_fails(broker):
    session = Session(lambda: located("local:///x"), faults=print, dial=broker.dial)
    with pytest.raises(OSError) as caught:
        await session.call(RemoveModule(0, "kvs"))
    assert caught.value.errno == errno.ENOTCONN


async def test_another_instance_is_dialled_when_the_user_switches(session, broker):
    await reached(session, Phase.UP)
    first = broker.flux
    session.switch("local:///y")
    await reached(session, Phase.UP)
    assert session.connection.uri == "local:///y"
    assert broker.flux is not first
    assert not first.connected


async def test_a_switch_during_a_dial_gives_the_dial_up(broker):
    dialled: list[str] = []

    async def dial(uri: str) -> Flux:
        dialled.append(uri)
        if uri == "local:///slow":
            await asyncio.Event().wait()
        return await broker.dial(uri)

    session = Session(lambda: located("local:///slow"), faults=print, dial=dial)
    runs = asyncio.create_task(session.run())
    await reached(session, Phase.DIALING)
    session.switch("local:///quick")
    await reached(session, Phase.UP)
    assert dialled[-1] == session.connection.uri == "local:///quick"
    await session.close()
    await asyncio.wait_for(runs, 5)


async def test_an_instance_that_does_not_start_is_told(broker):
    async def locate() -> str:
        raise OSError(errno.ECHILD, "it said no")

    session = Session(locate, faults=print, dial=broker.dial)
    runs = asyncio.create_task(session.run())
    await reached(session, Phase.FAILED)
    assert session.connection.trouble == Trouble(errno.ECHILD, "it said no")
    await session.close()
    await asyncio.wait_for(runs, 5)


async def test_a_refused_dial_is_tried_again(broker):
    refusals = [ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")]

    async def dial(uri: str) -> Flux:
        if refusals:
            raise refusals.pop()
        return await broker.dial(uri)

    session = Session(lambda: located("local:///x"), faults=print, dial=dial)
    runs = asyncio.create_task(session.run())
    await reached(session, Phase.WAITING)
    assert session.connection.trouble == Trouble(errno.ECONNREFUSED, "Connection refused")
    session.retry()
    await reached(session, Phase.UP)
    await session.close()
    await asyncio.wait_for(runs, 5)


async def test_a_fault_of_ours_is_told_and_ends_that_watch_alone(broker):
    broker.answers["module.list"] = lambda _req: {"mods": [{**MODULE, "services": [1]}]}
    faults: list[Exception] = []
    told = asyncio.Event()

    def fault(exc: Exception) -> None:
        faults.append(exc)
        told.set()

    class Broken:
        async def follow(self, flux, emit):
            raise KeyError("oops")

    session = Session(lambda: located("local:///x"), faults=fault, dial=broker.dial)
    runs = asyncio.create_task(session.run())
    session.watch(Broken(), print)
    await asyncio.wait_for(told.wait(), 5)
    assert isinstance(faults[0], KeyError)
    assert session.connection.up
    await session.close()
    await asyncio.wait_for(runs, 5)
