"""heartbeat: the pulse, and who misses it (CONTRACTS H1)."""

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import parse_line
from fluxcore.modules.heartbeat import Heartbeat
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, event, response
from support.instance import NO_RC, MakeLocal
from support.refused import refused
from support.virtual_time import run_in_virtual_time


class Rig:
    """The module on a handle of its own; time is virtual."""

    def __init__(self, rank: int, *args: str, conf: dict[str, Any] | None = None) -> None:
        self.sent: list[tuple[float, Message]] = []
        attrs = {"rank": str(rank), "size": "2", "broker.uuid": "b"}
        self.flux = Flux(self._send, name="heartbeat", uuid="h", attrs=attrs)
        self.module = Heartbeat(self.flux, args, conf)
        self.module.bind(self.flux.core, "heartbeat")
        self.publishable = True

    def _send(self, msg: Message) -> None:
        self.sent.append((self.flux.loop.time(), msg))
        if msg.topic == "event.publish" and self.publishable:
            self.flux.loop.call_soon(self.flux.receive, response(msg, {"seq": 1}))

    def pulse(self, **creds: int) -> None:
        creds = creds or {"userid": 1, "rolemask": c.ROLE_OWNER}
        self.flux.receive(event("heartbeat.pulse", **creds))

    def times(self, topic: str) -> list[float]:
        return [when for when, msg in self.sent if msg.topic == topic]

    def log(self) -> list[str]:
        return [parse_line(m.data or b"").text for _t, m in self.sent if m.topic == "log.append"]


def play(story: Callable[[], Any]) -> None:
    run_in_virtual_time(story())


def test_rank_0_beats_every_two_seconds() -> None:
    async def story() -> None:
        rig = Rig(0)
        await rig.module.start()
        await asyncio.sleep(7)
        assert rig.times("event.publish") == [0, 2, 4, 6]
        assert rig.sent[0][1].json == {"topic": "heartbeat.pulse", "flags": 0}
        await rig.module.stop()
        await asyncio.sleep(10)
        assert len(rig.times("event.publish")) == 4

    play(story)


def test_the_period_by_argument_or_configuration() -> None:
    async def story() -> None:
        for rig in (Rig(0, "period=0.5s"), Rig(0, conf={"heartbeat": {"period": "500ms"}})):
            begin = rig.flux.loop.time()
            await rig.module.start()
            await asyncio.sleep(1.2)
            await rig.module.stop()
            assert [round(t - begin, 3) for t in rig.times("event.publish")] == [0, 0.5, 1.0]

    play(story)


def test_a_follower_that_hears_it_says_nothing() -> None:
    async def story() -> None:
        rig = Rig(1)
        await rig.module.start()
        for _ in range(200):
            await asyncio.sleep(2)
            rig.pulse()
        assert rig.sent == []
        assert rig.module.stats()["count"] == 200
        await rig.module.stop()

    play(story)


def test_a_follower_that_does_not_hear_it_complains_and_then_leaves() -> None:
    async def story() -> None:
        rig = Rig(1)
        await rig.module.start()
        await asyncio.sleep(299)
        assert rig.log()[0] == "heartbeat overdue: none for 8s"
        assert rig.times("overlay.disconnect-parent") == []
        await asyncio.sleep(2)
        assert rig.times("overlay.disconnect-parent") == [300]
        _when, msg = next(s for s in rig.sent if s[1].topic == "overlay.disconnect-parent")
        assert (msg.json, msg.noresponse) == ({"reason": "no heartbeat for 5m"}, True)
        await rig.module.stop()

    play(story)


def test_a_guests_pulse_does_not_count() -> None:
    async def story() -> None:
        rig = Rig(1)
        await rig.module.start()
        for _ in range(150):
            await asyncio.sleep(2)
            rig.pulse(userid=200, rolemask=c.ROLE_USER)
        await asyncio.sleep(2)
        assert rig.times("overlay.disconnect-parent")
        await rig.module.stop()

    play(story)


@pytest.mark.parametrize("timeout", ["0", "infinity"])
def test_a_timeout_that_never_comes(timeout: str) -> None:
    async def story() -> None:
        rig = Rig(1, conf={"heartbeat": {"timeout": timeout, "warn_thresh": 100_000}})
        await rig.module.start()
        await asyncio.sleep(10_000)
        assert rig.sent == []
        assert rig.module.stats()["timeout"] == -1
        await rig.module.stop()

    play(story)


def test_a_pulse_that_cannot_be_published_is_said() -> None:
    async def story() -> None:
        rig = Rig(0)
        rig.publishable = False
        await rig.module.start()
        (publish,) = [msg for _when, msg in rig.sent if msg.topic == "event.publish"]
        rig.flux.receive(error_response(publish, errno.EPROTO))
        assert rig.log() == ["event.publish: EPROTO"]
        await rig.module.stop()

    play(story)


@pytest.mark.parametrize(
    ("args", "conf", "text"),
    [
        (["bogus=1"], {}, "bogus=1: unknown option"),
        (["period=-1s"], {}, "period: error parsing FSD: Invalid argument"),
        (["period="], {}, "period: error parsing FSD: Invalid argument"),
        (["period=0"], {}, "period: error parsing FSD: Invalid argument"),
        (["period=infinity"], {}, "period: error parsing FSD: Invalid argument"),
        ([], {"period": "x"}, "error parsing heartbeat.period FSD value"),
        ([], {"period": "0s"}, "heartbeat.period must be a positive FSD value"),
        ([], {"period": 2}, "error parsing heartbeat.period FSD value"),
        ([], {"z": 1}, "error reading [heartbeat] config table: unknown key z"),
        (
            [],
            {"timeout": "3s"},
            "heartbeat.timeout must be >= 2*heartbeat.period, infinity, or 0",
        ),
        ([], {"timeout": 5}, "error parsing heartbeat.timeout FSD value"),
        ([], {"warn_thresh": 0}, "heartbeat.warn_thresh must be positive"),
        ([], {"warn_thresh": "3"}, "heartbeat.warn_thresh must be positive"),
        ([], 5, "error reading [heartbeat] config table: no table"),
    ],
)
async def test_options_that_are_refused(
    local_instance: MakeLocal, args: list[str], conf: Any, text: str
) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        await flux.rpc("config.load", {"heartbeat": conf})
        call = flux.rpc("module.load", {"path": "heartbeat", "args": args})
        assert await refused(call) == (errno.EINVAL, text)


async def test_a_configuration_that_is_refused_while_it_beats(local_instance: MakeLocal) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        await flux.rpc("module.load", {"path": "heartbeat", "args": []})
        await flux.rpc("config.load", {"heartbeat": {"period": "1s", "timeout": "1m"}})
        stats = (await flux.rpc("heartbeat.stats-get")).json
        assert (stats["period"], stats["timeout"], stats["warn_thresh"]) == (1.0, 60.0, 3)
        error = await refused(flux.rpc("config.load", {"heartbeat": {"period": "x"}}))
        text = "error updating heartbeat: error parsing heartbeat.period FSD value"
        assert error == (errno.EINVAL, text)
        assert (await flux.rpc("config.get")).json["heartbeat"]["period"] == "1s"
        assert (await flux.rpc("heartbeat.stats-get")).json["period"] == 1.0
        await flux.rpc("module.remove", {"name": "heartbeat"})


async def test_every_rank_hears_it(local_instance: MakeLocal) -> None:
    async with local_instance(4, setattrs=NO_RC) as inst, await inst.connect() as flux:
        load = {"path": "heartbeat", "args": ["period=1ms"]}
        for rank in (3, 2, 1, 0):
            await flux.rpc("module.load", load, nodeid=rank)
        for rank in range(4):
            while not (await flux.rpc("heartbeat.stats-get", nodeid=rank)).json["count"]:
                """It comes."""
        for rank in range(4):
            await flux.rpc("module.remove", {"name": "heartbeat"}, nodeid=rank)
