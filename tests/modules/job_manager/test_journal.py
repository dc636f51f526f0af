"""The journal by itself: which events go together, and who gets which."""

from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.modules.job_manager.job import EventObject, Job
from fluxcore.modules.job_manager.journal import Journal
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request
from support.job_world import World


class Rig:
    """A journal, and what its listeners are sent, by their names."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, Any]]] = {}
        flux = Flux(self._send)
        self.journal = Journal(flux, World().machine)
        self.journal.bind(flux.core)
        self._receive = flux.receive

    def _send(self, msg: Message) -> None:
        assert msg.routes
        assert not msg.errnum
        if msg.json["id"] != -1:
            self.told[msg.routes[0]].append(msg.json)

    def _from(self, name: str, msg: Message) -> None:
        self._receive(msg.with_creds(1, c.ROLE_OWNER).pushed(name))

    def listen(self, name: str, **names: dict[str, int]) -> None:
        self.told[name] = []
        topic, flags = "job-manager.events-journal", c.STREAMING
        self._from(name, request(topic, names, matchtag=1, flags=flags))

    def gone(self, name: str) -> None:
        self.journal.disconnect(request("job-manager.disconnect").with_creds(1, 1).pushed(name))

    def post(self, job: Job, *names: str) -> None:
        for name in names:
            event: EventObject = {"timestamp": 1.0, "name": name}
            self.journal.posted(job, event)

    def names(self, listener: str) -> list[list[str]]:
        return [[event["name"] for event in entry["events"]] for entry in self.told[listener]]


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_events_that_happen_to_a_job_at_once_are_one_response(rig: Rig) -> None:
    one, two = Job(1, {"version": 1}), Job(2, {"version": 1})
    two.r = {"version": 1}
    rig.post(one, "submit")
    rig.journal.flush()
    rig.listen("a")
    rig.listen("b")
    rig.post(one, "depend", "priority")
    assert rig.names("a") == []
    rig.post(two, "submit", "alloc")
    rig.post(one, "free")
    rig.journal.flush()
    rig.journal.flush()
    for name in ("a", "b"):
        assert rig.names(name) == [["depend", "priority"], ["submit", "alloc"], ["free"]]
        assert [entry["id"] for entry in rig.told[name]] == [1, 2, 1]
        assert [sorted(entry) for entry in rig.told[name]] == [
            ["events", "id"],
            ["R", "events", "id", "jobspec"],
            ["events", "id"],
        ]
    assert rig.journal.stats() == {"listeners": 2, "events": 6}


async def test_a_listener_gets_of_them_what_it_wants(rig: Rig) -> None:
    rig.listen("all")
    rig.listen("few", allow={"alloc": 1, "free": 1}, deny={"free": 1})
    job = Job(1, {"version": 1})
    rig.post(job, "priority", "alloc", "free")
    rig.journal.flush()
    rig.post(job, "free")
    rig.journal.flush()
    assert rig.names("all") == [["priority", "alloc", "free"], ["free"]]
    assert rig.names("few") == [["alloc"]]


async def test_a_listener_that_goes_in_between_is_told_nothing_more(rig: Rig) -> None:
    rig.listen("stays")
    rig.listen("goes")
    rig.post(Job(1, {"version": 1}), "depend")
    rig.gone("goes")
    rig.journal.flush()
    assert rig.names("stays") == [["depend"]]
    assert rig.names("goes") == []


async def test_what_goes_with_an_event_goes_only_with_it(rig: Rig) -> None:
    rig.listen("all")
    rig.listen("no submit", deny={"submit": 1})
    rig.listen("no alloc", deny={"alloc": 1})
    job = Job(1, {"version": 1})
    job.r = {"execution": {}}
    rig.post(job, "submit", "alloc")
    rig.journal.flush()
    beside = {name: entries[0].keys() - {"id", "events"} for name, entries in rig.told.items()}
    assert beside == {"all": {"jobspec", "R"}, "no submit": {"R"}, "no alloc": {"jobspec"}}
