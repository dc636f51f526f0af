"""Loading, running, removing and reloading modules in the three placements (A20-A28)."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.instance import NO_RC, LocalInstance
from support.refused import refused

WriteModule = Callable[..., str]
MakeLocal = Callable[..., AbstractAsyncContextManager[LocalInstance]]
ENOENT = (errno.ENOENT, os.strerror(errno.ENOENT))
EEXIST = (errno.EEXIST, os.strerror(errno.EEXIST))

#: A process takes some tenths of a second to start Python.
PLACEMENTS = ["loop", "thread", pytest.param("process", marks=pytest.mark.slow)]
every_placement = pytest.mark.parametrize("placement", PLACEMENTS)

ECHO = """
    services = ("parrot",)

    async def start(self):
        self.heard = []
        for arg in self.args:
            name, _, value = arg.partition("=")
            if name == "errno":
                raise rpc_error(int(value), "as told")
            if name == "fault":
                raise ValueError("as told")

    async def stop(self):
        if "stop=slow" in self.args:
            await asyncio.sleep(0.001)
        if "stop=fault" in self.args:
            raise ValueError("as told")

    @method("echo.say", role=ROLE_USER)
    def say(self, req):
        return req.json

    @method("parrot.say")
    def parrot(self, req):
        return {"args": list(self.args), "rank": self.rank, "size": self.size, "pid": os.getpid()}

    @method("echo.ask")
    async def ask(self, req):
        answer = await self.flux.rpc("echo.say", {"again": req.json["n"]})
        return answer.json

    @method("echo.never")
    def never(self, req):
        return DEFERRED

    @method("echo.odd")
    def odd(self, req):
        return {"a": object()}

    @method("echo.die")
    def die(self, req):
        self.quit(rpc_error(errno.EDOM, "as told") if req.json["errnum"] else None)
        return DEFERRED

    @method("echo.heard")
    def tell(self, req):
        return {"heard": self.heard}

    @on_event("echo-test.")
    def hear(self, event):
        self.heard.append(event.topic)
"""


async def load(flux: Flux, path: str, *args: str, **more: Any) -> None:
    await flux.rpc("module.load", {"path": path, "args": list(args), **more})


async def remove(flux: Flux, name: str, **more: Any) -> None:
    await flux.rpc("module.remove", {"name": name, **more})


async def listed(flux: Flux) -> dict[str, dict[str, Any]]:
    answer = await flux.rpc("module.list")
    return {entry["name"]: entry for entry in answer.json["mods"]}


# -- a life ---------------------------------------------------------------------------------


@every_placement
async def test_a_whole_life(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    await load(flux, path, "x=1", "y")
    entry = (await listed(flux))["echo"]
    assert entry.pop("idle") == 0
    assert entry == {
        "name": "echo",
        "path": path,
        "status": 1,
        "services": ["echo", "parrot"],
        "sendqueue": 0,
        "recvqueue": 0,
    }
    assert (await flux.rpc("echo.say", {"n": 1})).json == {"n": 1}
    parrot = (await flux.rpc("parrot.say")).json
    assert (parrot["pid"] == os.getpid()) is (placement != "process")
    assert (parrot["args"], parrot["rank"], parrot["size"]) == (["x=1", "y"], 0, 1)
    assert (await flux.rpc("echo.ask", {"n": 2})).json == {"again": 2}
    flux.publish("echo-test.a")
    await flux.rpc("event.publish", {"topic": "echo-test.b", "flags": 0})
    assert (await flux.rpc("echo.heard")).json == {"heard": ["echo-test.a", "echo-test.b"]}
    assert (await flux.rpc("echo.ping", {"seq": 3})).json["seq"] == 3
    await remove(flux, "echo")
    assert "echo" not in await listed(flux)
    error = await refused(flux.rpc("echo.say", {}))
    assert error == (errno.ENOSYS, "No service matching echo.say is registered")
    await load(flux, path)
    await remove(flux, path)


@every_placement
async def test_under_another_name(flux: Flux, write_module: WriteModule, placement: str) -> None:
    body = "    @method('.say')\n    def say(self, req):\n        return {'name': self.flux.name}"
    path = write_module("echo", body, placement)
    await load(flux, path, name="one")
    await load(flux, path, name="two")
    for name in ("one", "two"):
        assert (await flux.rpc(f"{name}.say")).json == {"name": name}
    assert "echo" not in await listed(flux)
    await remove(flux, "one")
    await remove(flux, "two")


async def test_the_class_may_name_it(flux: Flux, write_module: WriteModule) -> None:
    path = write_module("some-file", "    name = 'echo'")
    await load(flux, path)
    assert (await flux.rpc("echo.ping", {})).json["rank"] == 0
    assert await refused(load(flux, path)) == EEXIST
    await remove(flux, "echo")


async def test_exec_puts_any_module_into_a_process(flux: Flux, write_module: WriteModule) -> None:
    await load(flux, write_module("echo", ECHO, "loop"), exec=True)
    assert (await flux.rpc("parrot.say")).json["pid"] != os.getpid()
    await remove(flux, "echo")


# -- loads that fail ------------------------------------------------------------------------


@every_placement
async def test_a_start_that_fails(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    assert await refused(load(flux, path, "errno=33")) == (errno.EDOM, "as told")
    error = await refused(load(flux, path, "fault=1"))
    assert error == (errno.EINVAL, "ValueError: as told")
    assert "echo" not in await listed(flux)
    await load(flux, path)
    await remove(flux, "echo")


@every_placement
async def test_a_file_with_a_fault(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", "    def (", placement)
    execs = placement == "process"
    errnum, text = await refused(load(flux, path, exec=execs))
    assert errnum == errno.EINVAL
    assert text is not None
    assert text.startswith("SyntaxError: invalid syntax (echo.py, line 7)")
    Path(path).write_text("import sys\nsys.exit(3)\n")
    assert await refused(load(flux, path, exec=execs)) == (errno.EINVAL, "SystemExit: 3")
    Path(path).write_text("import nosuchthing\n")
    error = await refused(load(flux, path, exec=execs))
    assert error == (errno.EINVAL, "ModuleNotFoundError: No module named 'nosuchthing'")
    Path(path).write_bytes(b"\xff\xfe\0")
    assert (await refused(load(flux, path, exec=execs)))[0] == errno.EINVAL
    assert "echo" not in await listed(flux)


async def test_a_file_must_hold_one_module_class(flux: Flux, tmp_path: Path) -> None:
    path = tmp_path / "echo.py"
    head = "from fluxcore.handle.module import Module\n"
    for body, count in (("", 0), ("class A(Module): pass\nclass B(Module): pass\n", 2)):
        path.write_text(head + body)
        text = f"echo.py defines {count} Module classes, not one"
        assert await refused(load(flux, str(path))) == (errno.EINVAL, text)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"path": "nosuch"}, (errno.ENOENT, "module not found in search path")),
        ({"path": "../log"}, (errno.EINVAL, "could not determine loader from path suffix")),
        ({"path": "/nonexistent/x.py"}, ENOENT),
        ({"path": "/nonexistent/x.so"}, (errno.EINVAL, "could not determine loader")),
        ({"path": "/etc/passwd"}, (errno.EINVAL, "could not determine loader from path suffix")),
        ({"path": ""}, (errno.ENOENT, "module not found in search path")),
        ({"path": "__init__"}, (errno.ENOENT, "module not found in search path")),
        ({"path": "config"}, EEXIST),
        (
            {"path": "config", "exec": True},
            (errno.EINVAL, "built-in modules cannot execute in a separate process"),
        ),
        (
            {"path": "config", "loader": "x"},
            (errno.EINVAL, "built-in modules cannot execute in a separate process"),
        ),
        (
            {"path": "heartbeat", "loader": "x"},
            (errno.EINVAL, "module loader may only be specified with module path"),
        ),
        ({"path": "heartbeat", "name": "a.b"}, (errno.EINVAL, "Invalid argument")),
        ({"path": "heartbeat", "name": "log"}, EEXIST),
        ({"path": "heartbeat", "args": ["bogus=1"]}, (errno.EINVAL, "bogus=1: unknown option")),
        ({"path": "heartbeat", "args": [1]}, (errno.EPROTO, "Protocol error")),
        ({"path": "heartbeat", "args": None}, (errno.EPROTO, "Protocol error")),
    ],
)
async def test_a_load_that_is_refused(
    flux: Flux, request_: dict[str, Any], error: tuple[int, str]
) -> None:
    """CONTRACTS A22."""
    before = set(await listed(flux))
    errnum, text = await refused(flux.rpc("module.load", {"args": [], **request_}))
    assert (errnum, (text or "").startswith(error[1])) == (error[0], True), text
    assert set(await listed(flux)) == before


async def test_a_name_is_searched_for(
    flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_module("echo", ECHO)
    monkeypatch.setenv("FLUX_MODULE_PATH", f"/nonexistent::{tmp_path}")
    await load(flux, "echo")
    await remove(flux, "echo")
    write_module("heartbeat", ECHO)
    await load(flux, "heartbeat")
    assert (await listed(flux))["heartbeat"]["services"] == ["heartbeat"], "ours come first"
    await remove(flux, "heartbeat")


@every_placement
async def test_a_name_that_is_taken(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    both = [asyncio.ensure_future(load(flux, path)) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["FileExistsError", "NoneType"]
    assert await refused(load(flux, path)) == EEXIST
    assert await refused(load(flux, path, name="attr")) == EEXIST
    await remove(flux, "echo")


async def test_a_service_that_is_taken_fails_the_load(
    flux: Flux, write_module: WriteModule
) -> None:
    await flux.add_service("parrot")
    assert await refused(load(flux, write_module("echo", ECHO))) == EEXIST
    assert "echo" not in await listed(flux)


async def test_a_loader_that_cannot_be_started(
    flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    path = write_module("echo", ECHO)
    assert await refused(load(flux, path, loader="module-python-exec")) == ENOENT
    assert "echo" not in await listed(flux)


@pytest.mark.slow
async def test_a_loader_that_fails(
    flux: Flux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONTRACTS A27."""
    script = tmp_path / "flux"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "echo.py").write_text("")
    error = await refused(load(flux, str(tmp_path / "echo.py"), loader="x"))
    assert error == (errno.EINVAL, "loader (x) exited with exit code 3")


# -- removes --------------------------------------------------------------------------------


async def test_a_remove_that_is_refused(flux: Flux) -> None:
    assert await refused(remove(flux, "nosuch")) == ENOENT
    assert await refused(remove(flux, "nosuch", cancel=True)) == ENOENT
    assert (await refused(flux.rpc("module.remove", {})))[0] == errno.EPROTO


@every_placement
async def test_a_stop_takes_its_time_or_fails(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("echo", ECHO, placement)
    for arg in ("stop=slow", "stop=fault"):
        await load(flux, path, arg)
        await asyncio.gather(remove(flux, "echo"), remove(flux, "echo"))
        assert "echo" not in await listed(flux)


@every_placement
async def test_who_waits_for_a_module_that_is_removed(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    """CONTRACTS A27."""
    await load(flux, write_module("echo", ECHO, placement))
    waiting = [flux.rpc("echo.never"), flux.rpc("echo.never", flags=c.STREAMING)]
    await flux.rpc("echo.say", {})
    await remove(flux, "echo")
    for call in waiting:
        assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")


STUCK = """
    async def start(self):
        if "start" in self.args:
            await asyncio.Event().wait()

    async def stop(self):
        await asyncio.Event().wait()

    @method(".hang")
    def hang(self, req):
        while not os.path.exists(self.args[-1]):
            time.sleep(0.001)
        return None
"""


@every_placement
async def test_a_module_that_never_stops_is_cancelled(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("stuck", STUCK, placement)
    await load(flux, path)
    removing = asyncio.ensure_future(remove(flux, "stuck"))
    await flux.rpc("module.list")
    assert not removing.done()
    await remove(flux, "stuck", cancel=True)
    await removing
    assert "stuck" not in await listed(flux)
    await load(flux, path)
    await remove(flux, "stuck", cancel=True)


async def test_a_module_that_is_cancelled_before_it_begins_is_gone_at_once(flux: Flux) -> None:
    loading = flux.rpc("module.load", {"path": "barrier", "args": []})
    before = flux.loop.time()
    await remove(flux, "barrier", cancel=True)
    assert flux.loop.time() - before < 0.5, "nothing is left that would have to be waited for"
    assert (await refused(loading))[0] == errno.ECANCELED
    assert "barrier" not in await listed(flux)


@every_placement
async def test_a_module_that_never_starts_is_cancelled(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("stuck", STUCK, placement)
    loading = asyncio.ensure_future(load(flux, path, "start"))
    early = flux.rpc("stuck.ping", {})
    while "stuck" not in await listed(flux):
        """The load begins with a file that is read in another thread."""
    assert (await listed(flux))["stuck"]["status"] == 0
    await remove(flux, "stuck", cancel=True)
    assert (await refused(loading))[0] == errno.ECANCELED
    assert (await refused(early))[0] == errno.ENOSYS
    assert "stuck" not in await listed(flux)


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["thread", "process"])
async def test_code_that_does_not_return(
    flux: Flux, write_module: WriteModule, tmp_path: Path, placement: str
) -> None:
    """The broker lives on; a thread that cannot be stopped is left to itself, and not heard."""
    path, free = write_module("stuck", STUCK, placement), tmp_path / "free"
    await load(flux, path, str(free))
    call = flux.rpc("stuck.hang")
    assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1
    await remove(flux, "stuck", cancel=True)
    assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")
    await load(flux, path, str(free))
    assert (await flux.rpc("stuck.ping", {"n": 1})).json["n"] == 1
    free.write_text("")
    await remove(flux, "stuck", cancel=True)


# -- failures while it runs (A28) -----------------------------------------------------------


@every_placement
async def test_a_module_that_ends_by_itself(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    assert await refused(flux.rpc("echo.die", {"errnum": 0})) == (
        errno.EHOSTUNREACH,
        "module disconnect",
    )
    assert "echo" not in await listed(flux)


@every_placement
async def test_a_module_that_fails_ends_the_broker(
    local_instance: MakeLocal,
    write_module: WriteModule,
    placement: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with (
        local_instance(1, setattrs=NO_RC, exit_codes=[1]) as inst,
        await inst.connect() as flux,
    ):
        await load(flux, write_module("echo", ECHO, placement))
        flux.notify("echo.die", {"errnum": 33})
        lost = flux.loop.create_future()
        flux.on_disconnect(lost.set_result)
        await lost
    err = capsys.readouterr().err
    assert "echo.err[0]: echo: as told" in err
    assert "broker.crit[0]: echo module runtime failure" in err


@every_placement
async def test_unless_the_broker_is_told_not_to_panic(
    local_instance: MakeLocal, write_module: WriteModule, placement: str
) -> None:
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", ECHO, placement))
        assert (await refused(flux.rpc("echo.die", {"errnum": 33})))[0] == errno.EHOSTUNREACH
        assert "echo" not in await listed(flux)
        assert (await flux.rpc("state-machine.get")).json["state"] == "run"


@pytest.mark.slow
async def test_a_process_that_is_killed(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", ECHO, "process"))
        pid = (await flux.rpc("parrot.say")).json["pid"]
        waiting = [flux.rpc("echo.never"), flux.rpc("echo.never", flags=c.STREAMING)]
        await flux.rpc("echo.say", {})
        os.kill(pid, 9)
        for call in waiting:
            assert await refused(call) == (errno.EHOSTUNREACH, "module disconnect")
        assert "echo" not in await listed(flux)


async def test_a_thread_that_ends_without_a_word(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    body = "    @method('.exit')\n    def bye(self, req):\n        sys.exit(0)"
    attrs = {**NO_RC, "broker.module-nopanic": "1"}
    async with local_instance(1, setattrs=attrs) as inst, await inst.connect() as flux:
        await load(flux, write_module("echo", body))
        assert (await refused(flux.rpc("echo.exit")))[0] == errno.EHOSTUNREACH
        assert "echo" not in await listed(flux)


@every_placement
async def test_what_is_left_at_the_end_is_ended(
    local_instance: MakeLocal,
    write_module: WriteModule,
    placement: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in flux-core, it is said, and the exit code tells."""
    async with (
        local_instance(1, setattrs=NO_RC, exit_codes=[1]) as inst,
        await inst.connect() as flux,
    ):
        await load(flux, write_module("echo", ECHO, placement))
    assert "broker module 'echo' was not properly shut down" in capsys.readouterr().err


# -- answers and requests that are none -----------------------------------------------------


@every_placement
async def test_an_answer_without_json_form(
    one: LocalInstance, flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    errnum, text = await refused(flux.rpc("echo.odd"))
    assert errnum == errno.EIO
    assert "not JSON serializable" in (text or "")
    assert (await flux.rpc("echo.say", {"n": 1})).json == {"n": 1}, "the connection lives on"
    await remove(flux, "echo")


async def test_such_an_answer_to_another_rank(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect(1) as flux:
        await flux.rpc(
            "module.load", {"path": write_module("echo", ECHO, "loop"), "args": []}, nodeid=0
        )
        errnum, text = await refused(flux.rpc("echo.odd", nodeid=0))
        assert errnum == errno.EIO
        assert "not JSON serializable" in (text or "")
        await flux.rpc("module.remove", {"name": "echo"}, nodeid=0)


# -- messages that come early ---------------------------------------------------------------

EARLY = """
    async def start(self):
        await self.flux.rpc("config.ping", {})
        self.ready = True

    @method(".get")
    def get(self, req):
        return {"ready": self.ready}
"""


@every_placement
async def test_requests_wait_until_the_module_has_started(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    path = write_module("early", EARLY, placement)
    loading = asyncio.ensure_future(load(flux, path))
    while "early" not in await listed(flux):
        """The load begins with a file that is read in another thread."""
    answers = [flux.rpc("early.get") for _ in range(3)]
    for answer in answers:
        assert (await answer).json == {"ready": True}
    await loading
    await remove(flux, "early")


# -- reloads --------------------------------------------------------------------------------


def versioned(write_module: WriteModule, n: int, placement: str) -> str:
    body = f"    @method('.get')\n    def get(self, req):\n        return {{'n': {n}}}"
    return write_module("versioned", body, placement)


@every_placement
async def test_a_reload_reads_the_file_as_it_is_now(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    """However fast it changes: a time stamp of a second's grain must not hide it."""
    for n in range(3 if placement == "process" else 20):
        path = versioned(write_module, n, placement)
        os.utime(path, (1, 1))
        await load(flux, path)
        assert (await flux.rpc("versioned.get")).json == {"n": n}
        await remove(flux, "versioned")


async def test_a_failed_reload_can_be_mended(flux: Flux, write_module: WriteModule) -> None:
    path = versioned(write_module, 1, "thread")
    await load(flux, path)
    await remove(flux, "versioned")
    Path(path).write_text("oops(")
    assert (await refused(load(flux, path)))[0] == errno.EINVAL
    versioned(write_module, 2, "thread")
    await load(flux, path)
    assert (await flux.rpc("versioned.get")).json == {"n": 2}
    await remove(flux, "versioned")


async def test_our_own_modules_are_read_anew_too(flux: Flux) -> None:
    await load(flux, "barrier")
    await remove(flux, "barrier")
    await load(flux, "barrier")
    assert (await flux.rpc("barrier.ping", {})).json["rank"] == 0
    await remove(flux, "barrier")


# -- idle, disconnect, debug, trace (A20, A7, A24) ------------------------------------------


async def test_idle_counts_from_the_last_message_that_the_module_sent(
    one: LocalInstance, flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fluxcore.broker.modhost.link as link

    now = [1000.0]
    monkeypatch.setattr(link.time, "time", lambda: now[0])
    await load(flux, write_module("echo", ECHO, "loop"))
    now[0] += 7.9
    assert (await listed(flux))["echo"]["idle"] == 7
    flux.publish("echo-test.x")  # to hear is not to speak
    assert (await listed(flux))["echo"]["idle"] == 7
    await flux.rpc("echo.say", {})
    assert (await listed(flux))["echo"]["idle"] == 0
    await remove(flux, "echo")


KEEPER = """
    async def start(self):
        self.kept, self.gone = [], []

    @method(".keep")
    def keep(self, req):
        self.kept.append(req.routes[0])
        return None

    @method(".disconnect")
    def disconnect(self, req):
        self.gone.append(req.routes[0])

    @method(".get")
    def get(self, req):
        return {"kept": self.kept, "gone": self.gone}
"""
USER = """
    async def start(self):
        await self.flux.rpc("keeper.keep")
"""


@every_placement
async def test_a_service_is_told_of_a_module_that_used_it(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("keeper", KEEPER, "loop"))
    await load(flux, write_module("user", USER, placement))
    assert len((await flux.rpc("keeper.get")).json["kept"]) == 1
    await remove(flux, "user")
    known = (await flux.rpc("keeper.get")).json
    assert known["gone"] == known["kept"]
    await remove(flux, "keeper")


@every_placement
async def test_messages_can_be_held_back(
    flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    await flux.rpc("module.debug", {"name": "echo", "defer": True})
    calls = [flux.rpc("echo.say", {"n": n}) for n in range(3)]
    assert (await listed(flux))["echo"]["recvqueue"] == 3
    assert not any(call.ended for call in calls)
    await flux.rpc("module.debug", {"name": "echo", "defer": True})
    await flux.rpc("module.debug", {"name": "echo", "defer": False})
    assert [(await call).json["n"] for call in calls] == [0, 1, 2]
    await flux.rpc("module.debug", {"name": "echo"})
    assert await refused(flux.rpc("module.debug", {"name": "nosuch", "defer": True})) == ENOENT
    await remove(flux, "echo")


@every_placement
async def test_tracing(
    one: LocalInstance, flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    async with await one.connect() as other:
        wanted = {"names": ["echo"], "typemask": 0xF, "topic_glob": "echo.*", "full": True}
        trace = other.stream("module.trace", wanted)
        await other.rpc("module.list")
        await flux.rpc("echo.say", {"n": 1})
        await flux.rpc("parrot.say")
        await refused(flux.rpc("echo.nosuch"))
        got = [(await anext(trace)).json for _ in range(4)]
    for entry in got:
        assert entry.pop("timestamp") > 1e9
        assert entry.pop("rank") == -1
    say = {"name": "echo", "topic": "echo.say", "payload": {"n": 1}, "payload_size": 8}
    fine = {"errnum": 0, "errstr": ""}
    assert got[0] == {**say, **fine, "prefix": "rx", "type": c.REQUEST}
    assert got[1] == {**say, **fine, "prefix": "tx", "type": c.RESPONSE}
    assert (got[2]["prefix"], got[2]["topic"]) == ("rx", "echo.nosuch")
    assert got[3]["errnum"] == errno.ENOSYS
    assert got[3]["errstr"] == "Unknown service method 'echo.nosuch'"
    error = await refused(flux.rpc("module.trace", wanted))
    assert error[0] == errno.EPROTO
    await remove(flux, "echo")


async def test_a_trace_of_every_module(one: LocalInstance, flux: Flux) -> None:
    async with await one.connect() as other:
        trace = other.stream("module.trace", {"typemask": c.REQUEST, "topic_glob": "*.ping"})
        await other.rpc("module.list")
        await flux.rpc("config.ping", {"n": 1})
        await flux.rpc("groups.ping", {})
        got = [(await anext(trace)).json for _ in range(2)]
    seen = {(entry["name"], entry["topic"]) for entry in got}
    assert ("connector-local", "config.ping") in seen or ("config", "config.ping") in seen
    assert all(entry["payload"] is None for entry in got)


async def test_a_state_that_no_module_of_the_brokers_tells(flux: Flux) -> None:
    """So that a module can be tried outside of a broker, it is heard and ignored."""
    text = "error decoding module.status request"
    for payload in (None, {}, {"status": "x"}, {"status": 99}):
        assert await refused(flux.rpc("module.status", payload)) == (errno.EPROTO, text)
    await flux.rpc("module.status", {"status": 1})
