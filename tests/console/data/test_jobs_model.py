import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job import states
from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec_build import Options, from_command
from fluxtop.data.jobs import (
    CancelJob,
    Job,
    JobEvents,
    JobList,
    JobsChanged,
    JobsWatch,
    decode_job,
)
from fluxtop.data.jobs_model import JobsModel, advance, word

R = {
    "version": 1,
    "execution": {
        "R_lite": [{"rank": "0-1", "children": {"core": "0"}}],
        "nodelist": ["node[0-1]"],
    },
}
JOBSPEC = from_command(["/bin/echo", "hello"], Options(ntasks=2))

SUBMIT = Event(1.0, "submit", {"userid": 1000, "urgency": 16})
TO_RUN = (
    SUBMIT,
    Event(1.1, "validate"),
    Event(1.2, "depend"),
    Event(1.3, "priority", {"priority": 16}),
    Event(1.4, "alloc"),
    Event(1.5, "start"),
)


def ended(status: int, *more: Event) -> tuple[Event, ...]:
    return (*TO_RUN, *more, Event(3.0, "finish", {"status": status}), Event(3.1, "clean"))


CANCEL = Event(2.0, "exception", {"type": "cancel", "severity": 0, "note": "by me"})
TIMEOUT = Event(2.0, "exception", {"type": "timeout", "severity": 0, "note": ""})
WARNING = Event(2.0, "exception", {"type": "node-failure", "severity": 2, "note": "lost"})


def test_events_make_a_job_of_nothing():
    job = advance(Job(7), JobEvents(7, TO_RUN, JOBSPEC, R))
    assert job == Job(
        id=7,
        userid=1000,
        name="echo",
        state=states.RUN,
        ntasks=2,
        nnodes=2,
        ranks="0-1",
        nodelist="node[0-1]",
        t_submit=1.0,
        t_run=1.4,
    )


def test_a_pending_job_has_the_nodes_it_asks_for():
    jobspec = from_command(["/bin/echo", "hello"], Options(ntasks=4, nnodes=2))
    assert advance(Job(7), JobEvents(7, (SUBMIT,), jobspec)).nnodes == 2
    assert advance(Job(7), JobEvents(7, (SUBMIT,), JOBSPEC)).nnodes is None


@pytest.mark.parametrize(
    ("events", "result"),
    [
        (ended(0), "completed"),
        (ended(256), "failed"),
        (ended(15, CANCEL), "canceled"),
        (ended(36352, TIMEOUT), "timeout"),
        (ended(0, WARNING), "completed"),
        (
            (
                *TO_RUN[:4],
                Event(1.4, "exception", {"type": "alloc", "severity": 0, "note": "too much"}),
                Event(1.5, "clean"),
            ),
            "failed",
        ),
    ],
)
def test_a_job_ends_with_the_result_that_its_events_mean(events, result):
    job = advance(Job(7), JobEvents(7, events))
    assert job.state == states.INACTIVE
    assert word(job) == result


@given(st.integers(0, len(ended(0, CANCEL))), st.integers(0, 8))
def test_a_backlog_told_again_changes_nothing(at, again):
    events = ended(0, CANCEL)
    once = advance(Job(7), JobEvents(7, events[:at], JOBSPEC, R))
    twice = advance(once, JobEvents(7, events[max(at - again, 0) : at], JOBSPEC, R))
    assert twice == once


def test_a_list_that_lags_behind_is_overtaken_by_the_backlog():
    model = JobsModel()
    model.apply(JobList((Job(7, state=states.SCHED, name="echo"),)))
    model.apply(JobsChanged((JobEvents(7, TO_RUN),)))
    assert model.rows[0].state == states.RUN


def test_the_newest_job_is_first_and_filters_hold():
    model = JobsModel()
    old = Job(1, name="old", state=states.INACTIVE, result=states.FAILED)
    model.apply(JobList((old, Job(3, name="new", state=states.RUN), Job(2, state=states.SCHED))))
    assert [job.id for job in model.rows] == [3, 2, 1]
    assert model.counts() == (1, 1, 1)
    model.show(active_only=True)
    assert [job.id for job in model.rows] == [3, 2]
    model.show(active_only=False, needle="FAILED")
    assert [job.id for job in model.rows] == [1]


TOLD = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([TO_RUN[:1], TO_RUN[:4], TO_RUN, ended(0), ended(1), ended(9, TIMEOUT)]),
    )
)


@given(TOLD, st.integers(0, 3))
def test_the_counts_are_those_of_the_rows(told, listed):
    model = JobsModel()
    model.apply(JobList(tuple(Job(n, state=states.SCHED) for n in range(1, listed + 1))))
    for job, events in told:
        model.apply(JobsChanged((JobEvents(job, events),)))
    words = [word(job) for job in model.rows]
    pending = sum(w in ("new", "depend", "priority", "sched") for w in words)
    failed = sum(w in ("failed", "timeout") for w in words)
    assert model.counts() == (pending, words.count("run") + words.count("cleanup"), failed)


@pytest.mark.parametrize("odd", [{}, {"tasks": []}, {"attributes": {"system": None}}])
def test_an_odd_jobspec_or_R_is_no_fault(odd):
    assert advance(Job(7), JobEvents(7, (SUBMIT,), odd, odd)).t_submit == 1.0


def test_a_listed_job_is_read():
    job = decode_job(
        {
            "id": 5,
            "userid": 0,
            "state": 64,
            "result": 2,
            "ranks": "[0-1]",
            "nodelist": "vm,vm",
            "nnodes": 2,
            "exception_occurred": True,
            "exception_type": "alloc",
            "exception_note": "no",
        }
    )
    assert (job.ranks, job.nnodes, job.exception, job.note) == ("0-1", 2, "alloc", "no")


async def test_the_owner_follows_the_journal_and_reads_the_list_after_its_backlog(broker):
    broker.answers["job-list.list"] = lambda _req: {"jobs": [{"id": 7, "state": 8}]}
    flux = await broker.dial("")
    got: list[object] = []
    task = flux.loop.create_task(JobsWatch().follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    journal = broker.streams[0]
    submit = {"timestamp": 1.0, "name": "alloc"}
    broker.tell(journal, {"id": 7, "events": [submit]})
    broker.tell(journal, {"id": -1, "events": []})
    await broker.until(lambda: "job-list.list" in broker.topics())
    broker.tell(journal, {"id": 8, "events": []})
    broker.end(journal)
    with pytest.raises(OSError, match="tells of no more jobs"):  # and it is followed again
        await task
    kinds = [type(message) for message in got]
    assert kinds[0] is JobList
    assert [job.id for message in got[1:] for job in message.jobs] == [7, 8]


async def test_a_guest_asks_for_the_list_again_and_again(broker, monkeypatch):
    monkeypatch.setattr("fluxtop.data.jobs.PAUSE", 0)
    answers = [{"jobs": [{"id": 2}]}, {"jobs": [{"id": 1}]}]

    def refuse(_req):
        raise PermissionError(errno.EPERM, "Request requires owner credentials")

    def listing(_req):
        if not answers:
            raise OSError(errno.ENOSYS, "over")
        return answers.pop()

    broker.answers |= {"job-manager.events-journal": refuse, "job-list.list": listing}
    flux = await broker.dial("")
    got: list[JobList] = []
    with pytest.raises(OSError, match="over"):
        await JobsWatch().follow(flux, got.append)
    assert [message.jobs[0].id for message in got] == [1, 2]


async def test_a_cancel_raises_the_exception(broker):
    broker.answers["job-manager.raise"] = lambda _req: {}
    flux = await broker.dial("")
    await CancelJob(1234).run(flux)
    assert broker.requests[0].json == {"id": 1234, "severity": 0, "type": "cancel"}
    assert CancelJob(1234).command(0) == "flux cancel ƒNH"
