"""Publishing events and subscribing to them (CONTRACTS A8, A17)."""

import asyncio
import base64
import os

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event
from support.instance import NO_RC, LocalInstance, MakeLocal
from support.refused import ENOENT, EPROTO, refused


async def test_publishing(flux: Flux) -> None:
    got: list[Message] = []
    await flux.subscribe("a.", got.append)
    encoded = base64.b64encode(b'{"n":1}\0').decode()
    answer = await flux.rpc("event.publish", {"topic": "a.x", "flags": 0, "payload": encoded})
    assert [msg.json for msg in got] == [{"n": 1}], "subscribers have it before the answer"
    assert got[0].seq == answer.json["seq"]
    assert (got[0].userid, got[0].rolemask) == (os.getuid(), c.ROLE_OWNER | c.ROLE_LOCAL)
    flux.publish("a.y", {"n": 2})
    flux.publish("b.y")
    second = await flux.rpc("event.publish", {"topic": "a.z", "flags": c.PRIVATE})
    assert [(msg.topic, msg.seq) for msg in got] == [
        ("a.x", answer.json["seq"]),
        ("a.y", answer.json["seq"] + 1),
        ("a.z", second.json["seq"]),
    ]
    assert second.json["seq"] == answer.json["seq"] + 3
    await flux.unsubscribe("a.", got.append)


@pytest.mark.parametrize(
    "payload",
    [
        {"topic": "a"},
        {"flags": 0},
        {"topic": "a", "flags": 1},
        {"topic": "a", "flags": 0xFF},
        {"topic": "a", "flags": 0, "payload": "not base64!"},
        {"topic": "a", "flags": 0, "payload": "a"},
        {"topic": "a", "flags": 0, "payload": 1},
        {"topic": "a", "flags": 0, "payload": "ü"},
    ],
)
async def test_publish_errors(flux: Flux, payload: object) -> None:
    assert await refused(flux.rpc("event.publish", payload)) == EPROTO


async def test_subscriptions_are_counted_by_client(flux: Flux) -> None:
    got: list[str | None] = []
    flux.core.add_event_handler("", lambda msg: got.append(msg.topic))
    for _ in range(2):
        await flux.rpc("event.subscribe", {"topic": "a"})
    await flux.rpc("event.unsubscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "ab", "flags": 0})
    await flux.rpc("event.unsubscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "ab", "flags": 0})
    assert got == ["ab"]
    assert await refused(flux.rpc("event.unsubscribe", {"topic": "a"})) == ENOENT
    for topic in ("event.subscribe", "event.unsubscribe"):
        assert await refused(flux.rpc(topic, {})) == EPROTO


async def test_one_client_leaves_the_others_subscriptions_alone(
    one: LocalInstance, flux: Flux
) -> None:
    got: list[str | None] = []
    await flux.subscribe("a", lambda msg: got.append(msg.topic))
    async with await one.connect() as other:
        await other.rpc("event.subscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "a", "flags": 0})
    assert got == ["a"]


async def test_private_events_are_for_the_owner_and_who_sent_them(
    one: LocalInstance, flux: Flux, guest: Flux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guests here are the owner in a pose, who sees all: who may see is in test_access."""
    got: list[int] = []
    await flux.subscribe("p", lambda msg: got.append(msg.userid))
    guest.publish("p", private=True)
    await guest.rpc("event.publish", {"topic": "p", "flags": c.PRIVATE})
    await flux.rpc("attr.list")
    assert got == [42, 42]


async def test_events_reach_every_rank(
    local_instance: MakeLocal,
) -> None:
    async with local_instance(4, setattrs=NO_RC) as inst:
        handles = [await inst.connect(rank) for rank in range(4)]
        arrived = [asyncio.Event() for _ in handles]
        got: list[list[Message]] = [[] for _ in handles]
        for n, flux in enumerate(handles):

            def take(msg: Message, n: int = n) -> None:
                got[n].append(msg)
                if len(got[n]) == 4:
                    arrived[n].set()

            await flux.subscribe("a.", take)
        for n, flux in enumerate(handles):
            flux.core.send(event(f"a.{n}", {"n": n}))
        for each in arrived:
            await each.wait()
        for flux in handles:
            await flux.close()
    orders = [[(msg.topic, msg.seq) for msg in messages] for messages in got]
    assert orders[0] == orders[1] == orders[2] == orders[3], "all see the same order"
    assert sorted(topic or "" for topic, _seq in orders[0]) == ["a.0", "a.1", "a.2", "a.3"]
    assert {msg.rolemask for msg in got[3] if msg.topic == "a.0"} == {c.ROLE_OWNER}, "LOCAL ends"
