"""An instance with content and kvs, and what a client does with it."""

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.kvs import ops as kvs_ops
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.wire import constants as c


class KvsClient:
    """A client of a rank's kvs service."""

    def __init__(self, flux: Flux, namespace: str = "primary") -> None:
        self.flux = flux
        self.namespace = namespace

    async def commit(self, *ops: Any, flags: int = 0) -> tuple[str, int]:
        payload = {"namespace": self.namespace, "flags": flags, "ops": list(ops)}
        answer = (await self.flux.rpc("kvs.commit", payload)).json
        assert list(answer) == ["rootref", "rootseq"]
        return answer["rootref"], answer["rootseq"]

    async def put(self, **values: bytes) -> tuple[str, int]:
        ops = [kvs_ops.put(key.replace("_", "."), value) for key, value in values.items()]
        return await self.commit(*ops)

    async def lookup(self, key: str, flags: int = 0, **more: Any) -> Any:
        payload = {"key": key, "flags": flags, "namespace": self.namespace, **more}
        return (await self.flux.rpc("kvs.lookup", payload)).json["val"]

    async def get(self, key: str) -> bytes | None:
        try:
            return val_bytes(await self.lookup(key))
        except FileNotFoundError:
            return None

    async def root(self) -> dict[str, Any]:
        answer = await self.flux.rpc("kvs.getroot", {"namespace": self.namespace})
        result: dict[str, Any] = answer.json
        return result

    async def wait(self, rootseq: int) -> dict[str, Any]:
        payload = {"namespace": self.namespace, "rootseq": rootseq}
        result: dict[str, Any] = (await self.flux.rpc("kvs.wait-version", payload)).json
        return result


class Kvs:
    """The instance and clients of its ranks."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def on(self, rank: int = 0, namespace: str = "primary") -> KvsClient:
        return KvsClient(self.instance.client(rank).flux, namespace)

    def guest(self, userid: int, rank: int = 0, namespace: str = "primary") -> KvsClient:
        client = self.instance.client(rank, userid=userid, rolemask=c.ROLE_USER)
        return KvsClient(client.flux, namespace)

    async def create(self, name: str, owner: int = -1) -> None:
        empty = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
        payload = {"namespace": name, "rootref": empty, "owner": owner, "flags": 0}
        await self.instance.flux().rpc("kvs.namespace-create", payload, nodeid=0)

    async def remove(self, name: str) -> None:
        await self.instance.flux().rpc("kvs.namespace-remove", {"namespace": name}, nodeid=0)

    async def stats(self, rank: int = 0) -> Any:
        return (await self.instance.flux(rank).rpc("kvs.stats-get")).json


StartKvs = Callable[..., Awaitable[Kvs]]


@pytest.fixture
def start_kvs(instance: Any) -> StartKvs:
    """``await start_kvs(size, *args_of_the_module, backing=False, **attrs)``."""

    async def start(size: int = 1, *args: str, backing: bool = False, **attrs: str) -> Kvs:
        it = await instance(size, **attrs)
        await it.load("content")
        if backing:
            await it.load("content-sqlite", rank=0)
        await it.load("kvs", *args)
        return Kvs(it)

    return start


@pytest.fixture
async def kvs(start_kvs: StartKvs) -> Kvs:
    return await start_kvs()


@pytest.fixture
async def kvs4(start_kvs: StartKvs) -> Kvs:
    return await start_kvs(4)


async def check_fails(call: Awaitable[Any], errnum: int, text: str | None = None) -> None:
    with pytest.raises(OSError) as caught:
        await call
    assert caught.value.errno == errnum, errno.errorcode.get(caught.value.errno or 0)
    if text is not None:
        assert caught.value.strerror == text


@pytest.fixture
def fails() -> Callable[..., Awaitable[None]]:
    return check_fails
