"""A small instance in a script: what every pane shows in these tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.app import App
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from fluxcore.handle.logline import LogEntry
from fluxcore.job import states
from fluxcore.job.eventlog import Event
from fluxcore.job.output import Data, Header
from fluxcore.resource.hostlist import Hostlist
from fluxtop.data.instance import Instance, InstanceWatch, Pulse, State
from fluxtop.data.job import Happened, JobDocument, JobWatch, OutputWatch, Printed
from fluxtop.data.jobs import Job, JobList, JobsWatch
from fluxtop.data.kvs import PRIMARY, Directories, Entry, KeyWatch, Listing, Root
from fluxtop.data.log import LogBatch, LogWatch
from fluxtop.data.module_operations import SearchPath
from fluxtop.data.modules import ModuleList, ModuleRow, ModulesOf
from fluxtop.data.scripted import ScriptedSource
from fluxtop.data.tbon import Health, HealthWatch, Subtree, Topology, TopologyWatch

HERE = Path(__file__).parent
NOW = 1795346760.0
MODULES = "/usr/lib/flux/modules"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A whole application runs in each of these tests."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.slow)


def module(name: str, idle: int, *services: str, status: int = 1, queue: int = 0) -> ModuleRow:
    return ModuleRow(name, f"{MODULES}/{name}.so", idle, status, services, 0, queue)


RANK_0 = (
    replace(module("config", 754), path="builtin"),
    module("content", 1),
    module("content-sqlite", 3, "content-backing"),
    module("heartbeat", 0),
    module("job-ingest", 42),
    module("job-manager", 0, queue=120),
    module("kvs", 0),
    module("kvs-watch", 9),
    module("resource", 65),
    module("sched-simple", 12, "feasibility", "sched", status=0),
)

JOBS = (
    Job(
        id=13336259330048,
        userid=0,
        name="train",
        state=states.RUN,
        ntasks=8,
        nnodes=2,
        ranks="2-3",
        nodelist="node[2-3]",
        t_submit=NOW - 90,
        t_run=NOW - 75,
    ),
    Job(id=13331964362752, userid=0, name="wait", state=states.SCHED, ntasks=64),
    Job(
        id=13324213288960,
        userid=0,
        name="true",
        state=states.INACTIVE,
        result=states.FAILED,
        ntasks=100,
        exception="alloc",
        note="unsatisfiable request",
    ),
    Job(
        id=13320069316608,
        userid=0,
        name="false",
        state=states.INACTIVE,
        result=states.FAILED,
        ntasks=1,
        nnodes=1,
        ranks="0",
        nodelist="node0",
        t_run=NOW - 700,
        t_end=NOW - 699.5,
        status=256,
    ),
    Job(
        id=13315589799936,
        userid=0,
        name="echo",
        state=states.INACTIVE,
        result=states.COMPLETED,
        ntasks=2,
        nnodes=2,
        ranks="0-1",
        nodelist="node[0-1]",
        t_run=NOW - 800,
        t_end=NOW - 799.9,
        status=0,
    ),
)

EVENTS = (
    Event(NOW - 90.0, "submit", {"userid": 0, "urgency": 16, "flags": 0, "version": 1}),
    Event(NOW - 89.99, "validate"),
    Event(NOW - 89.98, "depend"),
    Event(NOW - 89.97, "priority", {"priority": 16}),
    Event(NOW - 75.0, "alloc", {"annotations": {"sched": {"resource_summary": "rank[2-3]"}}}),
    Event(NOW - 74.9, "start"),
)


DOCUMENTS = {
    "jobspec": (
        '{"version":1,"resources":[{"type":"slot","count":8,"label":"task","with":'
        '[{"type":"core","count":1}]}],"tasks":[{"command":["train"],"slot":"task",'
        '"count":{"per_slot":1}}],"attributes":{"system":{"duration":60}}}'
    ),
    "R": (
        '{"version":1,"execution":{"R_lite":[{"rank":"2-3","children":{"core":"0-3"}}],'
        '"nodelist":["node[2-3]"]}}'
    ),
}


def log_line(text: str, app: str = "broker", severity: int = 6, second: int = 0) -> LogEntry:
    return LogEntry(severity, f"2026-11-22T11:25:{second:02d}.000000Z", "0", app, text)


LOG = (
    log_line("insmod heartbeat", severity=7),
    log_line("ready: queue-depth=8", "sched-simple", second=1),
    log_line("online: node[0-3] (ranks 0-3)", second=2),
    log_line("node2 has been unresponsive for 35s", "overlay", 4, second=30),
    log_line("job ƒ73Kca1XV: lost contact", "job-exec", 3, second=31),
)


def tell(source: ScriptedSource) -> ScriptedSource:
    """Say everything that the dashboard asks for."""
    source.say(
        InstanceWatch(),
        Instance(0, 4, 0, "/", "0.88.0", NOW - 3700),
        State("run", 3690.0, 0.0004),
        Pulse(1850),
    )
    source.say(TopologyWatch(), Topology((-1, 0, 0, 0), Hostlist.decode("node[0-3]")))
    full = [Subtree(rank, "full", 3690.0) for rank in range(4)]
    source.say(HealthWatch(0), Health(full[0], tuple(full[1:])))
    source.say(ModulesOf(0), ModuleList(0, RANK_0))
    source.say(ModulesOf(1), ModuleList(1, RANK_0[3:5]))
    root = Listing(
        ".",
        (
            Entry("admin", "dir"),
            Entry("greeting", "value", size=11),
            Entry("job", "dir"),
            Entry("latest", "link", target="resource.R"),
            Entry("resource", "dir"),
        ),
    )
    resource = Listing(
        "resource", (Entry("R", "value", blobs=1), Entry("eventlog", "value", blobs=7))
    )
    source.say(Directories(PRIMARY, frozenset({"."})), Root("sha1-a", 42), root)
    source.say(Directories(PRIMARY, frozenset({".", "resource"})), root, resource)
    source.say(KeyWatch(PRIMARY, "greeting"), b"hello \xf0\x9f\xa5\x94")
    source.say(
        KeyWatch(PRIMARY, "resource.R"),
        b'{"version":1,"execution":{"R_lite":[{"rank":"0-3","children":{"core":"0-1"}}],'
        b'"starttime":0.0,"nodelist":["node[0-3]"]}}',
    )
    source.say(JobsWatch(), JobList(JOBS))
    source.say(LogWatch(0), LogBatch(True, LOG))
    source.say(JobWatch(JOBS[0].id), Happened(True, EVENTS))
    source.say(
        OutputWatch(JOBS[0].id),
        Printed(
            True,
            (
                Header({"stdout": "UTF-8"}, {"stdout": 8}),
                Data("stdout", "0", b"epoch 1\nepoch"),
                Data("stderr", "3", b"warning: slow\n"),
                Data("stdout", "0", b" 2\n"),
            ),
        ),
    )
    source.answer(SearchPath, lambda _operation: MODULES)
    source.answer(JobDocument, lambda operation: DOCUMENTS[operation.key])
    return source


@pytest.fixture
def source() -> ScriptedSource:
    return tell(ScriptedSource("local:///run/flux/local"))


#: How often a key is handed on until its effect is there: to the widget that has the focus, up
#: to who is bound to it, and from there to whom it concerns.
HANDS = 4


@pytest.fixture
def quick(monkeypatch) -> None:
    """Keys as fast as they are handled; Textual's own waits until the process does nothing."""

    async def press(app: App[object], keys: Iterable[str]) -> None:
        pilot: Pilot[object] = Pilot(app)
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            event = events.Key(name, key if len(key) == 1 else key_to_character(key))
            event.set_sender(app)
            app._driver.send_message(event)
            for _ in range(HANDS):
                await pilot._wait_for_screen()

    async def idle(_least: float = 0.0, _most: float = 0.0) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(App, "_press_keys", press)
    monkeypatch.setattr("textual.pilot.wait_for_idle", idle)


@pytest.fixture
def changes(source) -> Callable[[], list[object]]:
    """The operations asked for that change something."""
    reads = (SearchPath, JobDocument)
    return lambda: [call for call in source.calls if not isinstance(call, reads)]


@pytest.fixture
def another_source() -> ScriptedSource:
    return tell(ScriptedSource("local:///run/flux/local"))


@pytest.fixture
async def pilot(make_app, source, see) -> AsyncIterator[Pilot]:
    """The console on 120 by 40 cells, when everything is there."""
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "rank 0, 10 modules", "lost contact", "latest -> resource.R")
        yield pilot
