"""Whatever is in a payload, a service answers with an errno of its contract, and lives on."""

import errno
import random
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c

#: Methods, the keys they read, and a good value for each. Left out: what ends the instance.
METHODS: dict[str, dict[str, Any]] = {
    "attr.get": {"name": "size"},
    "attr.set": {"name": "test.x", "value": "1", "force": True},
    "attr.rm": {"name": "test.x"},
    "log.append": {},
    "log.dmesg": {"follow": False, "nobacklog": True},
    "log.cancel": {"matchtag": 1},
    "log.setattr": {"name": "log-stderr-level", "value": "3"},
    "event.publish": {"topic": "a", "flags": 0, "payload": "e30A"},
    "event.subscribe": {"topic": "zzz"},
    "event.unsubscribe": {"topic": "zzz"},
    "service.add": {"service": "x"},
    "service.remove": {"service": "x"},
    "broker.getenv": {"names": ["PATH"]},
    "broker.setenv": {"env": {"FLUX_TEST_FUZZ": "1"}},
    "broker.conf-builtin": {"keys": ["rundir"]},
    "broker.ping": {},
    "broker.rusage": {"who": "self"},
    "broker.debug": {"op": "set", "flags": 1},
    "broker.config-reload": {},
    "module.list": {},
    "module.load": {"path": "/nonexistent/a.py", "args": [], "exec": False, "name": "a"},
    "module.remove": {"name": "nosuch", "cancel": False},
    "module.status": {"status": 1, "errnum": 0, "text": "x"},
    "module.debug": {"name": "nosuch", "defer": False},
    "module.trace": {"names": ["nosuch"], "typemask": 1, "topic_glob": "*", "full": True},
    "runat.push": {"name": "never", "commands": ["true"]},
    "state-machine.get": {},
    "state-machine.wait": {},
    "state-machine.monitor": {"final": 5},
    "state-machine.post": {"event": "nonsense", "error": False},
    "overlay.health": {},
    "overlay.topology": {"rank": 0},
    "overlay.monitor": {},
    "overlay.disconnect-subtree": {"rank": 7},
    "groups.join": {"name": "g"},
    "groups.leave": {"name": "g"},
    "groups.get": {"name": "g"},
    "groups.update": {"update": {"g": {"join": "1", "leave": ""}}},
    "config.get": {},
    "config.reload": {},
    "connector-local.stats-get": {},
    "connector-local.config-reload": {"access": {"allow-guest-user": False}},
    "nosuch.topic": {},
}
WRONG: list[Any] = [
    None, True, 0, -1, 1 << 40, 1.5, "", "x", "\0", "ü" * 300, [], [1], {}, {"a": 1}, [None],
    ["a", 5], {"g": 1}, {"g": {"join": "x", "leave": ""}}, {"access": 5}, "9" * 5000,
]  # fmt: skip
RAW: list[Any] = [None, b"", b"\0", b"{}", b"{", b"[]\0", b"\xff\xff\0", b"{" * 1000 + b"\0"]


def spoiled(chance: random.Random, good: dict[str, Any]) -> Any:
    """A payload with a key missing, or of another type, or too many; or no object at all."""
    if chance.random() < 0.2:
        return chance.choice(RAW)
    payload = dict(good)
    for key in good:
        what = chance.random()
        if what < 0.2:
            del payload[key]
        elif what < 0.6:
            payload[key] = chance.choice(WRONG)
    if chance.random() < 0.3:
        payload["extra"] = chance.choice(WRONG)
    return payload


@pytest.mark.parametrize("topic", METHODS)
async def test_a_bad_payload(flux: Flux, topic: str) -> None:
    chance = random.Random(topic)
    errors: list[tuple[int | None, str | None]] = []
    for _ in range(40):
        payload = spoiled(chance, METHODS[topic])
        flags = chance.choice([0, c.STREAMING, c.NORESPONSE])
        if flags == c.NORESPONSE:
            flux.notify(topic, payload)
            continue
        call = flux.rpc(topic, payload, flags=flags)
        if flags:  # a stream may have nothing to say yet
            call.then(lambda msg: errors.append((msg.errnum, msg.text)))
            continue
        try:
            await call
        except OSError as exc:
            errors.append((exc.errno, exc.strerror))
    assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1
    assert [text for errnum, text in errors if errnum == errno.EIO] == []
