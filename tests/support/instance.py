"""Instances for tests.

``with start(4) as inst:`` is a real one: ``flux start -s 4`` with its processes, sockets and
files, of which nothing may be left when the block ends. ``async with local(4) as inst:`` is four
brokers on the test's own loop, with real sockets between them: quicker, as real for a service.
"""

import asyncio
import os
import select
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path

from fluxcore.broker.broker import Broker, prepare
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.handle.aio import Flux, connect
from fluxcore.overlay.sockets import KeyPair, OverlaySockets
from fluxcore.overlay.topology import Topology
from support.leaks import no_leaks, processes_with

#: Our own flux, beside this Python.
FLUX = str(Path(sys.executable).parent / "flux")
#: Attributes of an instance that runs no rc1 and rc3: the built-in modules only.
NO_RC = {"broker.rc1_path": "", "broker.rc3_path": ""}
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0


@dataclass
class Instance:
    """A running instance of ``flux start``."""

    uri: str
    environ: dict[str, str]
    rundir: Path
    process: "subprocess.Popen[bytes]"

    def flux(
        self, *args: str, program: str = FLUX, stdin: str = "", timeout: float = 30.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a ``flux`` command in the instance; ``program`` may be flux-core's."""
        return subprocess.run(
            [program, *args],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@contextmanager
def start(
    size: int = 1,
    *options: str,
    env: Mapping[str, str] | None = None,
    exit_code: int = 0,
) -> Iterator[Instance]:
    """A real instance of ``size`` brokers, started with further ``options`` of ``flux start``.

    Its initial program ends when this block does; then the instance must end with
    ``exit_code`` and leave no process and no directory behind.
    """
    mark = f"FLUX_TEST_MARK={uuid.uuid4()}"
    environ = {**os.environ, **(env or {}), "FLUX_TEST_MARK": mark.partition("=")[2]}
    for name in ("FLUX_URI", "PMI_FD", "PMI_RANK", "PMI_SIZE"):
        environ.pop(name, None)
    tell = 'echo "$FLUX_URI $(flux getattr rundir) $(flux getattr statedir)"; exec cat >/dev/null'
    command = [FLUX, "start", "-s", str(size), *options, "sh", "-c", tell]
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        uri, rundir, statedir = _first_line(process).split()
        yield Instance(uri, {**environ, "FLUX_URI": uri}, Path(rundir), process)
    finally:
        stderr = _stop(process)
    assert process.returncode == exit_code, stderr
    assert not processes_with(mark)
    if not any("statedir=" in option for option in options):
        assert not Path(statedir).exists()
    assert not Path(rundir).exists()


def _first_line(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_TIMEOUT)
    line = process.stdout.readline().decode() if ready else ""
    if not line:
        process.kill()
        stderr = process.stderr.read().decode() if process.stderr else ""
        raise AssertionError(f"the instance did not come up: {stderr}")
    return line


def _stop(process: "subprocess.Popen[bytes]") -> str:
    try:
        _out, err = process.communicate(timeout=_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        _out, err = process.communicate()
        raise AssertionError(f"the instance did not go down: {err.decode()}") from None
    return err.decode()


@dataclass
class LocalInstance:
    """Brokers on the test's loop, in RUN."""

    brokers: Sequence[Broker]
    uris: Sequence[str]
    rundir: Path

    async def connect(self, rank: int = 0) -> Flux:
        """A handle for a broker; to be closed."""
        return await connect(self.uris[rank])


#: Makes an in-process instance of so many brokers.
MakeLocal = Callable[..., AbstractAsyncContextManager[LocalInstance]]


@asynccontextmanager
async def local(
    size: int,
    tmp_path: Path,
    *,
    topo: str = "kary:2",
    setattrs: Mapping[str, str] | None = None,
    conf_updates: Sequence[str] = (),
    exit_codes: Sequence[int] | None = None,
) -> AsyncIterator[LocalInstance]:
    """An instance of ``size`` brokers in this process; its directories are in ``tmp_path``.

    When the block ends it is shut down, and each broker must end with its code of ``exit_codes``
    (by default 0).
    """
    with no_leaks():
        brokers = make_brokers(size, tmp_path, topo, dict(setattrs or {}), conf_updates)
        tasks = [asyncio.ensure_future(broker.run(signals=False)) for broker in brokers]
        uris = [f"local://{tmp_path}/local-{rank}" for rank in range(size)]
        instance = LocalInstance(brokers, uris, tmp_path)
        try:
            await _wait_for_run(instance, tasks)
            yield instance
        finally:
            codes = await _shut_down(instance, tasks)
    assert codes == list(exit_codes or [0] * size)


def make_brokers(
    size: int, folder: Path, topo: str, setattrs: dict[str, str], conf: Sequence[str] = ()
) -> list[Broker]:
    """The brokers of an instance, of which none runs yet."""
    topology = Topology.parse(topo, size)
    keys = [KeyPair.generate() for _ in range(size)]
    uuids = [str(uuid.uuid4()) for _ in range(size)]
    hosts = [f"host{rank}" for rank in range(size)]
    sockets = [OverlaySockets(pair) if size > 1 else None for pair in keys]
    for rank, mine in enumerate(sockets):
        children = topology.children(rank)
        if mine is not None and children:
            mine.bind(_endpoint(folder, rank))
            for child in children:
                mine.allow(keys[child].public)
    brokers = []
    for rank, mine in enumerate(sockets):
        parent = topology.parent(rank)
        if mine is not None and parent is not None:
            mine.connect(_endpoint(folder, parent), keys[parent].public, uuids[rank])
        options = BrokerOptions(
            setattrs=[
                ("rundir", str(folder)),
                ("statedir", str(folder)),
                ("broker.rc2_none", "1"),
                ("tbon.topo", topo),
                *setattrs.items(),
            ],
            conf_updates=conf,
        )
        attrs, rundir, parsed = prepare(options, hosts[rank])
        boot = BootInfo(rank, size, topology, hosts, mine)
        brokers.append(Broker(attrs, boot, options, rundir, parsed, uuids[rank]))
    return brokers


def _endpoint(folder: Path, rank: int) -> str:
    return f"ipc://{folder}/tbon-{rank}"


async def _wait_for_run(instance: LocalInstance, tasks: "Sequence[asyncio.Future[int]]") -> None:
    """Wait until every broker is in RUN, or one has ended."""

    async def running() -> None:
        for rank, broker in enumerate(instance.brokers):
            await broker.listening.wait()
            async with await instance.connect(rank) as flux:
                await flux.rpc("state-machine.wait")

    up = asyncio.ensure_future(running())
    await asyncio.wait([up, *tasks], return_when=asyncio.FIRST_COMPLETED, timeout=_START_TIMEOUT)
    if not up.done():
        up.cancel()
        raise AssertionError("the instance did not come up")
    await up


async def _shut_down(instance: LocalInstance, tasks: "Sequence[asyncio.Future[int]]") -> list[int]:
    with suppress(OSError):  # a test may have begun the shutdown itself
        async with await instance.connect(0) as flux:
            await flux.rpc("shutdown.start")
    return list(await asyncio.wait_for(asyncio.gather(*tasks), _STOP_TIMEOUT))
