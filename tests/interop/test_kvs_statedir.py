"""A state directory moves between flux-core and us, keys and all."""

import base64
from pathlib import Path
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import val_bytes
from support.flux_core import START
from support.wired import Wired

pytestmark = [pytest.mark.interop, pytest.mark.slow]

#: Large enough for flux-core to compress, and not all the same.
LARGE = "".join(f"line {n} of a value\n" for n in range(2000))


async def started(statedir: Path) -> Wired:
    """Our instance, with the KVS on that state directory."""
    instance = await Wired(1, statedir, {"statedir": str(statedir)}).start()
    for name in ("content", "content-sqlite", "kvs"):
        await instance.load(name)
    return instance


async def commit(instance: Wired, *todo: ops.Op) -> str:
    payload = {"namespace": "primary", "flags": 0, "ops": list(todo)}
    answer = (await instance.flux().rpc("kvs.commit", payload)).json
    return str(answer["rootref"])


async def get(instance: Wired, key: str) -> str:
    payload = {"namespace": "primary", "flags": 0, "key": key}
    return val_bytes((await instance.flux().rpc("kvs.lookup", payload)).json["val"]).decode()


async def test_we_go_on_where_flux_core_stopped(flux_core: Any, tmp_path: Path) -> None:
    script = """
        flux kvs put a.b=1 && flux kvs put --raw large=- && flux kvs link a l
        for n in 1 2 3; do flux kvs put --append log=$n; done
    """
    flux_core(*START, f"-Sstatedir={tmp_path}", "sh", "-c", script, stdin=LARGE)
    instance = await started(tmp_path)
    assert [await get(instance, key) for key in ("l.b", "log", "large")] == ["1", "123", LARGE]
    await commit(instance, ops.put("more", b"ours"))
    await instance.stop()
    script = "flux kvs get more log"
    there = flux_core(*START, f"-Sstatedir={tmp_path}", "sh", "-c", script)
    assert there == "ours\n123\n"


async def test_flux_core_goes_on_where_we_stopped(flux_core: Any, tmp_path: Path) -> None:
    instance = await started(tmp_path)
    await commit(instance, ops.put("a.b", b"1"), ops.put("large", LARGE.encode()))
    for n in (b"1", b"2", b"3"):
        await commit(instance, ops.append("log", n))
    root = await commit(instance, ops.symlink("l", "a"))
    await instance.stop()
    script = f"""
        flux kvs get l.b log
        flux kvs get --at '{{"data":["{root}"],"type":"dirref","ver":1}}' a.b
        flux kvs put c=theirs
        flux kvs get --raw large | base64 -w0
    """
    there = flux_core(*START, f"-Sstatedir={tmp_path}", "sh", "-c", script).split("\n")
    assert there[:3] == ["1", "123", "1"]
    assert base64.b64decode(there[3]).decode() == LARGE
    again = await started(tmp_path)
    assert await get(again, "c") == "theirs"
    await again.stop()
