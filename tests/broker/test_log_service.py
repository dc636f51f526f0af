"""The service of the log (CONTRACTS A14, A32)."""

import errno

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from fluxcore.wire.message import request
from support.instance import LocalInstance
from support.refused import EPROTO, refused


def line(text: str, severity: int = 7, rank: int = 0) -> bytes:
    return f"<{severity << 3}>1 2026-11-22T07:31:21.140613Z {rank} me 1 - - {text}".encode()


async def dmesg(flux: Flux, **options: bool) -> list[str]:
    payload = {"follow": False, **options}
    got = [msg.data or b"" async for msg in flux.stream("log.dmesg", payload)]
    assert all(data.endswith(b"\0") for data in got)
    return [data.rstrip(b"\0").decode().rpartition(" - - ")[2] for data in got]


async def test_the_log(flux: Flux) -> None:
    await flux.rpc("log.clear")
    await flux.rpc("log.append", line("one"))
    await flux.rpc("log.append", line("two") + b"\0")
    assert await dmesg(flux) == ["one", "two"]
    stats = (await flux.rpc("log.stats-get")).json
    assert stats["ring-used"] == 2
    assert set(stats) == {"ring-used", "count", "local", "remote"}
    await flux.rpc("log.clear")
    assert await dmesg(flux) == []
    assert await dmesg(flux, nobacklog=True) == []


async def test_a_line_that_nobody_waits_for_is_not_answered(flux: Flux) -> None:
    """CONTRACTS A14: log.append comes without a matchtag and without NORESPONSE."""
    await flux.rpc("log.clear")
    received = flux.core.stats()["rx"]["response"]
    flux.core.send(request("log.append", line("quiet")))
    assert await dmesg(flux) == ["quiet"]
    assert flux.core.stats()["rx"]["response"] == received + 2  # the line and the end of dmesg


async def test_following_the_log(one: LocalInstance, flux: Flux) -> None:
    await flux.rpc("log.clear")
    async with (
        await one.connect() as other,
        other.stream("log.dmesg", {"follow": True, "nobacklog": True}, cancel="log.cancel") as log,
    ):
        await other.rpc("attr.list")  # the stream is established
        for text in ("one", "two"):
            await flux.rpc("log.append", line(text))
        assert [((await anext(log)).data or b"")[-4:] for _ in range(2)] == [b"one\0", b"two\0"]
        log.cancel()
        assert [msg async for msg in log] == []


@pytest.mark.parametrize(
    ("payload", "stream"),
    [({"follow": False}, False), ({}, True), ({"follow": 1}, True), (None, True)],
)
async def test_dmesg_errors(flux: Flux, payload: object, stream: bool) -> None:
    flags = c.STREAMING if stream else 0
    assert await refused(flux.rpc("log.dmesg", payload, flags=flags)) == EPROTO


async def test_the_level_of_stderr(flux: Flux, capsys: pytest.CaptureFixture[str]) -> None:
    await flux.rpc("log.append", line("hidden", severity=4))
    await flux.rpc("attr.set", {"name": "log-stderr-level", "value": "4"})
    await flux.rpc("log.append", line("shown", severity=4))
    assert capsys.readouterr().err == "Nov 22 07:31:21.140613 UTC 2026 me.warning[0]: shown\n"
    assert await refused(flux.rpc("log.setattr", {"name": "x", "value": "1"})) == (
        errno.EINVAL,
        "unknown log attribute",
    )


async def test_bytes_that_are_no_log_line(flux: Flux) -> None:
    await flux.rpc("log.clear")
    for data in (b"", b"\xff\xfe", "<\u00b2>1 a b c d - - x".encode(), None):
        await flux.rpc("log.append", data)
    await flux.rpc("log.append", line("still there"))
    assert await dmesg(flux) == ["still there"]
