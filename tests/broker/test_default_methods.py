"""What every module answers, the broker itself too, and what guests may ask (CONTRACTS A25)."""

import errno
import os

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.refused import EPROTO, OWNER_ONLY, refused


async def test_ping(flux: Flux) -> None:
    answer = (await flux.rpc("broker.ping", {"seq": 1, "pad": "x"})).json
    assert answer.pop("route").count("!") == 2
    assert answer == {
        "seq": 1,
        "pad": "x",
        "userid": os.getuid(),
        "rolemask": c.ROLE_OWNER | c.ROLE_LOCAL,
        "rank": 0,
    }
    answer = (await flux.rpc("config.ping", {})).json
    assert answer["route"].count("!") == 3
    assert await refused(flux.rpc("broker.ping", b"{")) == EPROTO
    assert await refused(flux.rpc("broker.ping")) == EPROTO


async def test_rusage(flux: Flux) -> None:
    for payload in (None, {}, {"who": "self"}, {"who": "children"}, {"who": "thread"}):
        answer = (await flux.rpc("config.rusage", payload)).json
        assert answer["maxrss"] >= 0
        assert len(answer) == 16
    assert await refused(flux.rpc("broker.rusage", {"who": "you"})) == (
        errno.EINVAL,
        "you is unsupported",
    )
    assert await refused(flux.rpc("broker.rusage", {"who": 1})) == EPROTO


async def test_debug_flags(flux: Flux) -> None:
    for op, flags, now in (
        ("setbit", 0x10001, 0x10001),
        ("clrbit", 0x1, 0x10000),
        ("set", 0x5, 0x5),
        ("setbit", 0x2, 0x7),
        ("clr", 0, 0),
    ):
        answer = await flux.rpc("config.debug", {"op": op, "flags": flags})
        assert answer.json == {"flags": now}
    for payload in ({"op": "nosuch", "flags": 1}, {"op": "set"}, {"flags": 1}):
        assert await refused(flux.rpc("config.debug", payload)) == EPROTO


async def test_statistics(flux: Flux) -> None:
    await flux.rpc("config.stats-clear")
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 1
    await flux.rpc("config.ping", {})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 3
    await flux.rpc("event.publish", {"topic": "config.stats-clear", "flags": 0})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 1


async def test_what_guests_may_ask(guest: Flux) -> None:
    for topic in ("broker.ping", "config.ping"):
        assert (await guest.rpc(topic, {})).json["userid"] == 42
    await guest.rpc("config.stats-get")
    await guest.rpc("config.rusage")
    await guest.rpc("module.list")
    await guest.rpc("state-machine.get")
    for topic in (
        "config.stats-clear",
        "config.debug",
        "config.config-reload",
        "config.reload",
        "module.load",
        "module.remove",
        "module.trace",
        "log.dmesg",
        "log.clear",
        "broker.setenv",
        "runat.push",
        "shutdown.start",
        "state-machine.post",
    ):
        assert await refused(guest.rpc(topic, {})) == OWNER_ONLY, topic


async def test_a_guests_event_moves_no_module(flux: Flux, guest: Flux) -> None:
    await flux.rpc("config.ping", {})
    before = (await flux.rpc("config.stats-get")).json["rx"]["request"]
    await guest.rpc("event.publish", {"topic": "config.stats-clear", "flags": 0})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == before + 1
