"""RFC 3 messages as flux-core encodes them (made with its own library), both ways."""

import json
from pathlib import Path
from typing import Any

import pytest

from fluxcore.wire import constants as c
from fluxcore.wire import rfc3
from fluxcore.wire.message import Message
from support.messages import fields

VECTORS = json.loads((Path(__file__).parent / "rfc3-messages.json").read_text())
TYPES = {"request": c.REQUEST, "response": c.RESPONSE, "event": c.EVENT, "control": c.CONTROL}
FLAGS = {"noresponse": c.NORESPONSE, "streaming": c.STREAMING, "private": c.PRIVATE}
AUX1 = ("nodeid", "errnum", "sequence", "control_type")
AUX2 = ("matchtag", "control_status")


def message_of(vector: dict[str, Any]) -> Message:
    payload = None
    if "payload_text" in vector:
        payload = vector["payload_text"].encode() + b"\0"
    elif "payload_hex" in vector:
        payload = bytes.fromhex(vector["payload_hex"])
    flags = sum(FLAGS[name] for name in vector.get("flags", ()))
    if "upstream" in vector["note"]:
        flags |= c.UPSTREAM
    return Message(
        TYPES[vector["type"]],
        vector.get("topic"),
        payload,
        flags=flags,
        userid=vector["userid"],
        rolemask=vector["rolemask"],
        aux1=next((vector[name] for name in AUX1 if name in vector), 0),
        aux2=next((vector[name] for name in AUX2 if name in vector), 0),
        routes=tuple(vector["routes"]) if "routes" in vector else None,
    )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["note"] for vector in VECTORS])
def test_flux_core_encodes_the_same(vector: dict[str, Any]) -> None:
    msg, encoded = message_of(vector), bytes.fromhex(vector["encoded_hex"])
    assert rfc3.encode_frames(msg).hex() == encoded.hex()
    assert fields(rfc3.decode_frames(encoded)) == fields(msg)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["note"] for vector in VECTORS])
def test_every_shorter_or_longer_encoding_is_refused(vector: dict[str, Any]) -> None:
    encoded = bytes.fromhex(vector["encoded_hex"])
    for bad in (encoded[:-1], encoded[1:], b"\0" + encoded, encoded + b"\0"):
        with pytest.raises(OSError) as caught:
            rfc3.decode_frames(bad)
        assert caught.value.errno == 71  # EPROTO
