"""Messages to and from modules: early, held back, without a JSON form (A7, A20, A24)."""

import asyncio
import errno

import pytest

from fluxcore.handle.aio import Flux
from support.instance import NO_RC, LocalInstance, MakeLocal
from support.modules import ECHO, WriteModule, every_placement, listed, load, remove
from support.refused import ENOENT, refused


@every_placement
async def test_an_answer_without_json_form(
    one: LocalInstance, flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    errnum, text = await refused(flux.rpc("echo.odd"))
    assert errnum == errno.EIO
    assert "not JSON serializable" in (text or "")
    assert (await flux.rpc("echo.say", {"n": 1})).json == {"n": 1}, "the connection lives on"
    await remove(flux, "echo")


async def test_such_an_answer_to_another_rank(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect(1) as flux:
        await flux.rpc(
            "module.load", {"path": write_module("echo", ECHO, "loop"), "args": []}, nodeid=0
        )
        errnum, text = await refused(flux.rpc("echo.odd", nodeid=0))
        assert errnum == errno.EIO
        assert "not JSON serializable" in (text or "")
        await flux.rpc("module.remove", {"name": "echo"}, nodeid=0)


EARLY = """
    async def start(self):
        await self.flux.rpc("config.ping", {})
        self.ready = True

    @method(".get")
    def get(self, req):
        return {"ready": self.ready}
"""


@every_placement
async def test_requests_wait_until_the_module_has_started(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("early", EARLY, placement)
    loading = asyncio.ensure_future(load(flux, path))
    while "early" not in await listed(flux):
        """The load begins with a file that is read in another thread."""
    answers = [flux.rpc("early.get") for _ in range(3)]
    for answer in answers:
        assert (await answer).json == {"ready": True}
    await loading
    await remove(flux, "early")


async def test_idle_counts_from_the_last_message_that_the_module_sent(
    one: LocalInstance, flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fluxcore.broker.modhost.link as link

    now = [1000.0]
    monkeypatch.setattr(link.time, "time", lambda: now[0])
    await load(flux, write_module("echo", ECHO, "loop"))
    now[0] += 7.9
    assert (await listed(flux))["echo"]["idle"] == 7
    flux.publish("echo-test.x")  # to hear is not to speak
    assert (await listed(flux))["echo"]["idle"] == 7
    await flux.rpc("echo.say", {})
    assert (await listed(flux))["echo"]["idle"] == 0
    await remove(flux, "echo")


KEEPER = """
    async def start(self):
        self.kept, self.gone = [], []

    @method(".keep")
    def keep(self, req):
        self.kept.append(req.routes[0])
        return None

    @method(".disconnect")
    def disconnect(self, req):
        self.gone.append(req.routes[0])

    @method(".get")
    def get(self, req):
        return {"kept": self.kept, "gone": self.gone}
"""
USER = """
    async def start(self):
        await self.flux.rpc("keeper.keep")
"""


@every_placement
async def test_a_service_is_told_of_a_module_that_used_it(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("keeper", KEEPER, "loop"))
    await load(flux, write_module("user", USER, placement))
    assert len((await flux.rpc("keeper.get")).json["kept"]) == 1
    await remove(flux, "user")
    known = (await flux.rpc("keeper.get")).json
    assert known["gone"] == known["kept"]
    await remove(flux, "keeper")


@every_placement
async def test_messages_can_be_held_back(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    await flux.rpc("module.debug", {"name": "echo", "defer": True})
    calls = [flux.rpc("echo.say", {"n": n}) for n in range(3)]
    assert (await listed(flux))["echo"]["recvqueue"] == 3
    assert not any(call.ended for call in calls)
    await flux.rpc("module.debug", {"name": "echo", "defer": True})
    await flux.rpc("module.debug", {"name": "echo", "defer": False})
    assert [(await call).json["n"] for call in calls] == [0, 1, 2]
    await flux.rpc("module.debug", {"name": "echo"})
    assert await refused(flux.rpc("module.debug", {"name": "nosuch", "defer": True})) == ENOENT
    await remove(flux, "echo")


async def test_a_state_that_no_module_of_the_brokers_tells(flux: Flux) -> None:
    """So that a module can be tried outside of a broker, it is heard and ignored."""
    text = "error decoding module.status request"
    for payload in (None, {}, {"status": "x"}, {"status": 99}):
        assert await refused(flux.rpc("module.status", payload)) == (errno.EPROTO, text)
    await flux.rpc("module.status", {"status": 1})
