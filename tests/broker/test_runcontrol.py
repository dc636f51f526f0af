"""Run control: what a broker does from load-builtins to exit, and with which code it ends."""

import asyncio
import errno
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fluxcore.handle.aio import Flux, connect
from support.instance import NO_RC, MakeLocal, make_brokers
from support.leaks import no_leaks
from support.refused import refused

WriteModule = Callable[..., str]
OFFLINE = (errno.EAGAIN, "Upstream Flux broker is offline. Try again later.")
HUNG_UP = 128 + signal.SIGHUP


class Parts:
    """The brokers of an instance, run one by one."""

    def __init__(self, folder: Path, size: int, attrs: Mapping[str, str] = NO_RC) -> None:
        self.folder = folder
        self.brokers = make_brokers(size, folder, "kary:2", {**NO_RC, **attrs})
        self._running: dict[int, asyncio.Future[int]] = {}

    def run(self, *ranks: int) -> None:
        for rank in ranks:
            life = self.brokers[rank].run(signals=False)
            self._running[rank] = asyncio.ensure_future(life)

    async def connect(self, rank: int = 0) -> Flux:
        await self.brokers[rank].listening.wait()
        return await connect(f"local://{self.folder}/local-{rank}")

    async def ended(self) -> dict[int, int]:
        """The exit codes by rank of those that ran."""
        for rank, broker in enumerate(self.brokers):
            sockets = broker._boot.sockets
            if rank not in self._running and sockets is not None:
                sockets.close()
        codes = await asyncio.wait_for(asyncio.gather(*self._running.values()), 10)
        return dict(zip(self._running, codes, strict=True))

    def signal(self, signum: int, rank: int = 0) -> None:
        """What a signal to the broker's process does."""
        self.brokers[rank]._control.signal(signum)


async def logged(flux: Flux, part: str) -> None:
    """Wait for a line with ``part`` in the log."""
    async with flux.stream("log.dmesg", {"follow": True}, cancel="log.cancel") as log:
        async for msg in log:
            if part in (msg.text or ""):
                return


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().err


# -- on the way up --------------------------------------------------------------------------


async def test_a_client_of_a_broker_that_is_offline(short_path: Path) -> None:
    """CONTRACTS A19."""
    with no_leaks():
        parts = Parts(short_path, 2)
        parts.run(1)
        async with await parts.connect(1) as flux:
            assert await flux.attr("rank") == "1"
            assert (await flux.rpc("state-machine.get")).json["state"] == "join"
            assert [msg async for msg in flux.stream("log.dmesg", {"follow": False})]
            for topic in ("broker.ping", "module.list", "kvs.get", "attr.list"):
                assert await refused(flux.rpc(topic, {})) == OFFLINE
            await flux.subscribe("a", lambda _msg: None)
            up = flux.rpc("state-machine.wait")
            parts.run(0)
            await up
            assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1
            async with await parts.connect() as leader:
                await leader.rpc("shutdown.start")
        assert await parts.ended() == {0: 0, 1: 0}


async def test_a_quorum_that_takes_long_is_said(
    short_path: Path, stderr: Callable[[], str]
) -> None:
    """CONTRACTS B15."""
    parts = Parts(short_path, 3, {"broker.quorum-warn": "1ms"})
    parts.run(0, 1)
    text = "quorum delayed: waiting for host2 (rank 2)"
    async with await parts.connect() as flux:
        await logged(flux, text)
        parts.run(2)
        await flux.rpc("state-machine.wait")
        await flux.rpc("shutdown.start")
    assert await parts.ended() == {0: 0, 1: 0, 2: 0}
    said = stderr()
    assert f"broker.err[0]: {text}" in said
    assert said.count("broker.err[0]: quorum reached\n") == 1


async def test_without_an_rc1_of_ours_there_is_nothing_to_clean_up(short_path: Path) -> None:
    parts = Parts(short_path, 1)
    parts.run(0)
    async with (
        await parts.connect() as flux,
        flux.stream("log.dmesg", {"follow": True}, cancel="log.cancel") as log,
    ):
        await flux.rpc("shutdown.start")
        async for msg in log:
            if "cleanup->" in (msg.text or ""):
                break
        assert "cleanup-none: cleanup->shutdown" in (msg.text or "")
    assert await parts.ended() == {0: 0}


async def test_a_quorum_may_be_less_than_all(short_path: Path) -> None:
    parts = Parts(short_path, 3, {"broker.quorum": "2"})
    parts.run(0, 1)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        health = (await flux.rpc("overlay.health")).json
        assert {child["rank"]: child["status"] for child in health["children"]} == {
            1: "full",
            2: "offline",
        }
        parts.run(2)
        async with await parts.connect(2) as late:
            await late.rpc("state-machine.wait")
        await flux.rpc("shutdown.start")
    assert await parts.ended() == {0: 0, 1: 0, 2: 0}


@pytest.mark.parametrize(
    ("waits_in", "event"), [("join", "parent-fail"), ("quorum", "quorum-fail")]
)
async def test_a_signal_ends_the_wait_for_others(
    short_path: Path, waits_in: str, event: str
) -> None:
    parts, rank = Parts(short_path, 2), int(waits_in == "join")
    parts.run(rank)
    async with await parts.connect(rank) as flux:
        await logged(flux, f"->{waits_in}")
        parts.signal(signal.SIGTERM, rank)
        await logged(flux, f"{event}: {waits_in}->shutdown")
    await parts.ended()


async def test_rc1_that_fails_ends_the_broker_with_its_code(
    short_path: Path, stderr: Callable[[], str]
) -> None:
    parts = Parts(short_path, 1, {"broker.rc1_path": "echo oops >&2; exit 7"})
    parts.run(0)
    assert await parts.ended() == {0: 7}
    err = stderr()
    assert "broker.err[0]: rc1.0: oops" in err
    assert "exit 7 Exited (rc=7)" in err


async def test_a_recovery_ignores_that(short_path: Path) -> None:
    attrs = {"broker.rc1_path": "exit 7", "broker.recovery-mode": "1"}
    parts = Parts(short_path, 1, attrs)
    parts.run(0)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        await flux.rpc("shutdown.start")
    assert await parts.ended() == {0: 0}


async def test_a_child_whose_rc1_fails_fails_the_quorum_not(short_path: Path) -> None:
    """Rank 0 waits on for the one that is gone, as long as nobody ends it."""
    parts = Parts(short_path, 2, {"broker.rc1_path": 'test "$(basename $FLUX_URI)" = local-0'})
    parts.run(0, 1)
    async with await parts.connect() as flux:
        await logged(flux, "->quorum")
        assert await parts._running[1] == 1
        parts.signal(signal.SIGTERM)
    assert (await parts.ended())[1] == 1


@pytest.mark.parametrize("script", ["command", "builtin"])
async def test_a_signal_in_rc1(short_path: Path, write_module: WriteModule, script: str) -> None:
    """It ends what runs, a command or our own."""
    attrs = {"broker.rc1_path": "echo up; exec sleep inf"}
    if script == "builtin":
        attrs = {"broker.rc1_path": "builtin", "content.backing-module": stuck_module(write_module)}
    parts = Parts(short_path, 1, attrs)
    parts.run(0)
    async with await parts.connect() as flux:
        await logged(flux, "insmod stuck" if script == "builtin" else "rc1.0: up")
        parts.signal(signal.SIGTERM)
    assert await parts.ended() == {0: HUNG_UP}


def stuck_module(write_module: WriteModule) -> str:
    """A module that does not start. It stands in for the backing store, so that rc1 waits."""
    return write_module("stuck", "    async def start(self):\n        await asyncio.Event().wait()")


# -- running --------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_deadly_signal_shuts_down(short_path: Path, signum: int) -> None:
    parts = Parts(short_path, 3)
    parts.run(0, 1, 2)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        parts.signal(signum)
    assert await parts.ended() == {0: 0, 1: 0, 2: 0}


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
async def test_two_signals_at_once(short_path: Path, turns: int) -> None:
    """The second may come when the cleanup that it ends has not even begun."""
    parts = Parts(short_path, 1)
    parts.run(0)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        parts.signal(signal.SIGTERM)
        for _ in range(turns):
            await asyncio.sleep(0)
        parts.signal(signal.SIGTERM)
    assert (await parts.ended())[0] in (0, HUNG_UP)


async def test_another_signal_is_for_the_jobs(short_path: Path, stderr: Callable[[], str]) -> None:
    parts = Parts(short_path, 1)
    parts.run(0)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        parts.signal(signal.SIGUSR1)
        await logged(flux, "signal 10")
        assert (await flux.rpc("state-machine.get")).json["state"] == "run"
        await flux.rpc("shutdown.start")
    assert await parts.ended() == {0: 0}
    text = "job-manager.killall: No service matching job-manager.killall is registered"
    assert text in stderr()


async def test_rc3_that_fails_gives_its_code(short_path: Path) -> None:
    parts = Parts(short_path, 2, {"broker.rc3_path": "exit 9"})
    parts.run(0, 1)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        await flux.rpc("shutdown.start")
    assert await parts.ended() == {0: 9, 1: 9}


async def test_leaves_go_first(short_path: Path) -> None:
    """CONTRACTS B16: a parent finalizes when its children are gone."""
    out = short_path / "out"
    parts = Parts(short_path, 4, {"broker.rc3_path": f"basename $FLUX_URI >>{out}"})
    parts.run(0, 1, 2, 3)
    async with await parts.connect() as flux:
        await flux.rpc("state-machine.wait")
        await flux.rpc("shutdown.start")
    assert set((await parts.ended()).values()) == {0}
    order = out.read_text().split()
    assert order.index("local-3") < order.index("local-1") < order.index("local-0")
    assert order[-1] == "local-0"


async def test_a_panic_of_a_follower_takes_its_subtree_along(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    """CONTRACTS A28: the others go on."""
    body = "    @method('.die')\n    def die(self, req):\n        self.quit(OSError(33, 'oops'))"
    path = write_module("mortal", body, "loop")
    async with (
        local_instance(4, setattrs=NO_RC, exit_codes=[0, 1, 0, 0]) as inst,
        await inst.connect(0) as flux,
    ):
        await flux.rpc("module.load", {"path": path, "args": []}, nodeid=1)
        health = flux.stream("overlay.health")
        await anext(health)
        flux.notify("mortal.die", nodeid=1)
        async for msg in health:
            if msg.json["children"][0]["status"] == "offline":
                break
        assert msg.json["children"][0]["error"] == "administrative shutdown"
        assert (await flux.rpc("broker.ping", {}, nodeid=2)).json["rank"] == 2
        assert (await refused(flux.rpc("broker.ping", {}, nodeid=3)))[0] == errno.EHOSTUNREACH


# -- configuration (A44) --------------------------------------------------------------------


async def test_followers_take_the_leaders_configuration(local_instance: MakeLocal) -> None:
    async with local_instance(4, setattrs=NO_RC, conf_updates=["a.x=1"]) as inst:
        handles = [await inst.connect(rank) for rank in range(4)]
        follow = [flux.stream("config.get", nodeid=rank) for rank, flux in enumerate(handles)]
        assert [(await anext(each)).json for each in follow] == [{"a": {"x": 1}}] * 4
        await handles[0].rpc("config.load", {"a": {"x": 2}})
        assert [(await anext(each)).json for each in follow] == [{"a": {"x": 2}}] * 4
        for flux in handles:
            await flux.close()


async def test_a_follower_starts_with_it(short_path: Path) -> None:
    """Whatever its own files say."""
    parts = Parts(short_path, 2)
    parts.brokers[0]._conf = {"from": "leader"}
    parts.brokers[1]._conf = {"from": "file"}
    parts.run(0, 1)
    async with await parts.connect(1) as flux:
        await flux.rpc("state-machine.wait")
        assert (await flux.rpc("config.get", nodeid=1)).json == {"from": "leader"}
        await flux.rpc("shutdown.start", nodeid=0)
    assert await parts.ended() == {0: 0, 1: 0}


async def test_a_follower_that_refuses_it_does_not_start(
    short_path: Path, stderr: Callable[[], str]
) -> None:
    parts = Parts(short_path, 2)
    parts.run(0)
    async with await parts.connect() as flux:
        # Rank 0 listens, and does not look at its own table again.
        parts.brokers[0]._set_conf({"access": {"nosuch": 1}})
        parts.run(1)
        assert await parts._running[1] == 1
        await flux.rpc("broker.ping", {})
        parts.signal(signal.SIGTERM)
    await parts.ended()
    assert "error parsing [access] configuration: unknown key nosuch" in stderr()
