"""config: the instance's configuration, read, loaded, refused (CONTRACTS A44)."""

import errno
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from support.instance import NO_RC, MakeLocal
from support.refused import refused

PICKY = """
import errno
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import Module, method

class Picky(Module):
    name = "picky"
    taken = ()

    async def configure(self, conf):
        self.taken = (*self.taken, conf)
        if conf.get("picky") == "no":
            raise rpc_error(errno.EDOM, "not to my taste")

    @method("picky.taken")
    def get(self, req):
        return {"taken": list(self.taken), "started": self.conf}
"""


async def config(flux: Flux) -> Any:
    return (await flux.rpc("config.get")).json


async def test_none(local_instance: MakeLocal) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        assert await config(flux) == {}
        await flux.rpc("config.reload")
        assert await config(flux) == {}


async def test_reload_reads_the_files_again(local_instance: MakeLocal, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[a]\nx = 1\n")
    attrs = {**NO_RC, "config.path": str(tmp_path)}
    async with local_instance(2, setattrs=attrs) as inst, await inst.connect() as flux:
        await flux.rpc("config.reload")
        assert await config(flux) == {"a": {"x": 1}}
        file.write_text("[a]\nx = 2\n")
        await flux.rpc("config.reload")
        assert await config(flux) == {"a": {"x": 2}}
        file.write_text("[a\n")
        errnum, text = await refused(flux.rpc("config.reload"))
        assert errnum == errno.EINVAL
        assert (text or "").startswith(f"Config file error: {file}: ")
        assert await config(flux) == {"a": {"x": 2}}


async def test_load_and_watch(local_instance: MakeLocal) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        watch = flux.stream("config.get")
        assert (await anext(watch)).json == {}
        await flux.rpc("config.load", {"a": 1})
        assert (await anext(watch)).json == {"a": 1}
        await flux.rpc("config.load", {"a": 1})
        await flux.rpc("config.load", {"a": 2})
        assert (await anext(watch)).json == {"a": 2}, "what is the same is no change"
        for payload in (None, b"{", b"[]\0"):
            assert (await refused(flux.rpc("config.load", payload)))[0] == errno.EPROTO


@pytest.mark.parametrize("rank", [1, 3])
async def test_only_rank_0_changes_it(local_instance: MakeLocal, rank: int) -> None:
    async with local_instance(4, setattrs=NO_RC) as inst, await inst.connect(rank) as flux:
        text = "configuration can only be changed on rank 0"
        for topic in ("config.load", "config.reload"):
            error = await refused(flux.rpc(topic, {"a": 1}, nodeid=rank))
            assert error == (errno.EINVAL, text)


async def test_modules_take_it_or_nobody_does(local_instance: MakeLocal, tmp_path: Path) -> None:
    path = tmp_path / "picky.py"
    path.write_text(PICKY)
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        await flux.rpc("config.load", {"first": 1})
        await flux.rpc("module.load", {"path": str(path), "args": []})
        assert (await flux.rpc("picky.taken")).json == {"taken": [], "started": {"first": 1}}
        await flux.rpc("config.load", {"second": 2})
        error = await refused(flux.rpc("config.load", {"picky": "no"}))
        assert error == (errno.EDOM, "error updating picky: not to my taste")
        assert await config(flux) == {"second": 2}
        answer = (await flux.rpc("picky.taken")).json
        assert answer["taken"] == [{"second": 2}, {"picky": "no"}, {"second": 2}]
        assert answer["started"] == {"second": 2}
        await flux.rpc("module.remove", {"name": "picky"})


async def test_what_the_connector_does_not_take_is_no_ones(local_instance: MakeLocal) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect() as flux:
        errnum, text = await refused(flux.rpc("config.load", {"access": {"nosuch": True}}))
        assert (errnum, text) == (
            errno.EINVAL,
            "error updating connector-local: "
            "error parsing [access] configuration: unknown key nosuch",
        )
        assert await config(flux) == {}
        async with await inst.connect(1) as follower:
            assert (await follower.rpc("config.get", nodeid=1)).json == {}


async def test_one_that_is_refused_takes_back_only_its_own(
    local_instance: MakeLocal, tmp_path: Path
) -> None:
    path = tmp_path / "picky.py"
    path.write_text(PICKY)
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        await flux.rpc("module.load", {"path": str(path), "args": []})
        good = flux.rpc("config.load", {"first": 1})
        bad = flux.rpc("config.load", {"picky": "no"})
        await good
        assert (await refused(bad))[0] == errno.EDOM
        assert await config(flux) == {"first": 1}
        taken = (await flux.rpc("picky.taken")).json["taken"]
        assert taken == [{"first": 1}, {"picky": "no"}, {"first": 1}]
        await flux.rpc("module.remove", {"name": "picky"})
