import errno

import pytest

from fluxcore.handle.errors import rpc_error
from fluxtop.data.module_operations import (
    DebugFlags,
    LoadModule,
    ReloadModule,
    RemoveModule,
    name_or_path,
    reload_target,
)
from fluxtop.data.modules import ModuleRow


def row(name: str, path: str) -> ModuleRow:
    return ModuleRow(name, path, 0, 1, (), 0, 0)


@pytest.mark.parametrize(
    ("module", "target"),
    [
        (row("config", "builtin"), "config"),
        (row("heartbeat", "/lib/modules/heartbeat.so"), "heartbeat"),
        (row("clock", "/home/me/clock.py"), "/home/me/clock.py"),
        (row("heartbeat", "/x/fluxcore/modules/heartbeat.py"), "heartbeat"),
        (row("content-sqlite", "/x/fluxcore/modules/content_sqlite/__init__.py"), "content-sqlite"),
        (row("mine", "/x/fluxcore/modules/heartbeat.py"), "/x/fluxcore/modules/heartbeat.py"),
        (row("other", "/lib/modules/heartbeat.so"), "/lib/modules/heartbeat.so"),
    ],
)
def test_a_module_is_reloaded_by_its_name_only_if_that_finds_its_file(module, target):
    assert reload_target(module, "/opt/x:/lib/modules") == target


@pytest.mark.parametrize(
    ("operation", "command"),
    [
        (ReloadModule(0, "heartbeat", "heartbeat"), "flux module reload heartbeat"),
        (
            ReloadModule(0, "heartbeat", "heartbeat", ("period=1s",)),
            "flux module reload heartbeat period=1s",
        ),
        (
            ReloadModule(2, "heartbeat", "heartbeat"),
            "flux exec -r 2 flux module reload heartbeat",
        ),
        (
            ReloadModule(0, "b", "/x/my clock.py"),
            "flux module reload --name b '/x/my clock.py'",
        ),
        (LoadModule(0, "/x/clock.py", ("a b",)), "flux module load /x/clock.py 'a b'"),
        (RemoveModule(1, "kvs"), "flux exec -r 1 flux module remove kvs"),
        (DebugFlags(0, "kvs"), "flux module debug kvs"),
        (DebugFlags(0, "kvs", 16), "flux module debug --set 0x10 kvs"),
    ],
)
def test_what_is_done_has_an_equivalent_command(operation, command):
    assert operation.command(own_rank=0) == command


async def test_a_reload_removes_and_loads(broker):
    broker.answers |= {"module.remove": lambda _req: {}, "module.load": lambda _req: {}}
    flux = await broker.dial("")
    await ReloadModule(1, "b", "/x/clock.py", ("n=1",)).run(flux)
    remove, load = broker.requests
    assert remove.json == {"name": "b", "cancel": False}
    assert load.json == {"path": "/x/clock.py", "args": ["n=1"], "exec": False, "name": "b"}
    assert (remove.nodeid, load.nodeid) == (1, 1)


def test_what_has_a_slash_is_a_path_and_a_whole_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert name_or_path("heartbeat") == "heartbeat"
    assert name_or_path("./clock.py") == f"{tmp_path}/clock.py"
    assert name_or_path("~/clock.py") == "/home/me/clock.py"


async def test_a_reload_that_could_not_load_can_be_tried_again(broker):
    def faulty(_req):
        raise rpc_error(errno.EINVAL, "SyntaxError: invalid syntax (clock.py, line 3)")

    def unknown(_req):
        raise rpc_error(errno.ENOENT)

    flux = await broker.dial("")
    reload = ReloadModule(0, "clock", "/home/me/clock.py", ("zone=UTC",))
    broker.answers |= {"module.remove": lambda _req: {}, "module.load": faulty}
    with pytest.raises(OSError, match=r"line 3\) \(clock is not loaded now\)") as caught:
        await reload.run(flux)
    assert caught.value.errno == errno.EINVAL

    broker.answers |= {"module.remove": unknown, "module.load": lambda _req: {}}
    await reload.run(flux)
    assert broker.topics()[-2:] == ["module.remove", "module.load"]
    assert broker.requests[-1].json["args"] == ["zone=UTC"]
