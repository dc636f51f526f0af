"""The broker's environment, and where things are installed (CONTRACTS A34)."""

import errno
import os

import pytest

from fluxcore.handle.aio import Flux
from support.refused import EPROTO, refused


async def test_the_environment(flux: Flux, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_TEST_A", "1")
    monkeypatch.delenv("FLUX_TEST_B", raising=False)
    names = ["FLUX_TEST_A", "FLUX_TEST_B"]
    assert (await flux.rpc("broker.getenv", {"names": names})).json == {"env": {names[0]: "1"}}
    await flux.rpc("broker.setenv", {"env": {names[0]: None, names[1]: "2"}})
    assert (await flux.rpc("broker.getenv", {"names": names})).json == {"env": {names[1]: "2"}}


@pytest.mark.parametrize(
    "env", [{"": "1"}, {"a=b": "1"}, {"a\0": "1"}, {"a": "\0"}, {"a": 1}, {"a": True}, [], "x"]
)
async def test_an_environment_that_is_none(flux: Flux, env: object) -> None:
    assert await refused(flux.rpc("broker.setenv", {"env": env})) == EPROTO
    assert "a" not in os.environ


@pytest.mark.parametrize("names", [[1], ["PATH", None], "x", None])
async def test_names_that_are_none(flux: Flux, names: object) -> None:
    assert await refused(flux.rpc("broker.getenv", {"names": names})) == EPROTO


async def test_where_things_are_installed(flux: Flux) -> None:
    values = (await flux.rpc("broker.conf-builtin", {"keys": ["rundir"]})).json["values"]
    assert values == {"rundir": await flux.attr("rundir")}
    assert (await refused(flux.rpc("broker.conf-builtin", {"keys": [[]]})))[0] == errno.EPROTO
    error = await refused(flux.rpc("broker.conf-builtin", {"keys": ["nosuch"]}))
    assert error == (errno.EINVAL, "nosuch: invalid key")
