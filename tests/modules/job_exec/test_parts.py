"""The small parts of job-exec, without IO."""

import base64
import signal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.taskmap import Taskmap
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_exec import limits, mock
from fluxcore.modules.job_exec.first_exit import FirstExit, shell_status
from fluxcore.modules.job_exec.guest import GuestLog
from fluxcore.modules.job_exec.limits import OutputLimit, format_size
from fluxcore.modules.job_exec.options import ExecOptions, parse
from fluxcore.modules.job_exec.records import merged
from fluxcore.modules.job_exec.shells import Shells
from fluxcore.resource.rset import ResourceSet
from support.jobspecs import make_jobspec, make_r


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1023, "1023"),
        (1024, "1K"),
        (1536, "1536"),
        (10 << 20, "10M"),
        (1 << 30, "1G"),
        (3 << 40, "3072G"),
    ],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text


def data(text: str, stream: str = "stdout") -> dict[str, Any]:
    return {"stream": stream, "rank": "0", "data": text}


def test_what_is_beyond_the_limit_is_said_once() -> None:
    limit = OutputLimit(10, "10")
    assert limit.count(data("x" * 6)) is None
    assert limit.count(data("x" * 6)) == "stdout will be truncated, 10 limit exceeded"
    assert limit.count(data("x" * 6)) == ""
    assert limit.count(data("x" * 6, "stderr")) is None
    assert limit.count({"stream": "stdout", "rank": "0", "eof": True}) is None
    encoded = base64.b64encode(b"x" * 5).decode()
    assert limit.count({**data(encoded, "stderr"), "encoding": "base64"}) is not None
    assert limit.summary() == ["stderr: 1 of 11 bytes truncated", "stdout: 8 of 18 bytes truncated"]


def test_much_output_is_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_HIGH_VOLUME", 100)
    limit = OutputLimit(1 << 30, "1G")
    limit.count(data("x" * (5 << 19)))
    assert limit.summary() == [
        "high stdout volume (2.5M), consider redirecting to a file next time (e.g. use"
        " --output=FILE)"
    ]


@pytest.mark.parametrize(
    ("status", "shell", "how"),
    [
        (0, 0, " (Exit 0)"),
        (3 << 8, 3 << 8, " (Exit 3)"),
        (signal.SIGSEGV, 139 << 8, " (Segmentation fault)"),
        (signal.SIGSEGV | 128, 139 << 8, " (Segmentation fault)"),
    ],
)
def test_the_first_exit(status: int, shell: int, how: str) -> None:
    assert shell_status(status) == shell
    first = FirstExit(2, status)
    assert first.failed == bool(status)
    taskmap = Taskmap.from_json([[0, 2, 2, 1]])
    assert first.timed_out(30.0, "/bin/prog", ["a", "b"], taskmap) == (
        f"prog: task rank 2 on host b exited{how} and exit-timeout=30s has expired"
    )
    assert first.on_error("prog", ["a", "b"], taskmap) == (
        f"prog: task rank 2 on host b failed{how} and exit-on-error is set"
    )


def test_the_first_exit_of_a_task_whose_place_nobody_has_told() -> None:
    """The leader, whose layout says where tasks are, was lost before it came."""
    nowhere = Taskmap.from_json([])
    text = FirstExit(1, 1 << 8).on_error("prog", ["a", "b"], nowhere)
    assert text == "prog: task rank 1 failed (Exit 1) and exit-on-error is set"
    text = FirstExit(1, None).on_error("prog", ["a", "b"], nowhere)
    assert text == "prog: shell rank 1 on host b failed and exit-on-error is set"


def test_records_become_operations_or_a_tree() -> None:
    log = GuestLog()
    assert not log
    log.append(1.5, "exec.eventlog", "init")
    log.append(2.5, "output", "data", {"x": "ä"})
    log.append(3.5, "exec.eventlog", "done", {})
    assert log
    tree = log.take_tree()["data"]
    assert not log
    assert log.take() == []
    events = val_bytes(tree["exec"]["data"]["eventlog"])
    assert list(map(orjson.loads, events.splitlines())) == [
        {"timestamp": 1.5, "name": "init"},
        {"timestamp": 3.5, "name": "done", "context": {}},
    ]
    assert val_bytes(tree["output"]).endswith('{"x":"ä"}}\n'.encode())


def test_what_pmi_clients_have_put_is_merged() -> None:
    assert merged([{"a": "1"}, {}, {"b": "2"}]) == {"a": "1", "b": "2"}


def test_options_come_from_the_configuration_and_the_arguments() -> None:
    assert parse({}, []) == ExecOptions()
    conf = {
        "exec": {
            "kill-timeout": "2m",
            "term-signal": "SIGHUP",
            "max-start-delay-percent": 10,
            "testexec": {"allow-guests": True},
        }
    }
    options = parse(conf, ["kill-timeout=3s", "kill-signal=int", "max-kill-count=2"])
    assert options == ExecOptions(
        kill_timeout=3.0,
        term_signal=signal.SIGHUP,
        kill_signal=signal.SIGINT,
        max_kill_count=2,
        max_start_delay_percent=10.0,
        testexec_guests=True,
    )
    assert options.give_up_after == 18.0
    assert parse({}, ["max-kill-timeout=9s", "kill-signal=9"]).give_up_after == 9.0


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        ({"exec": 5}, r"Error reading \[exec\] table"),
        ({"exec": {"max-start-delay-percent": "x"}}, "Expected real"),
        ({"exec": {"kill-timeout": 5}}, "invalid kill-timeout: 5"),
        ({"exec": {"max-kill-count": "8"}}, "invalid max-kill-count=8"),
        ({"exec": {"term-signal": []}}, "invalid term-signal"),
    ],
)
def test_a_configuration_may_be_wrong(conf: dict[str, Any], text: str) -> None:
    with pytest.raises(OSError, match=text):
        parse(conf, [])


def test_most_jobs_are_not_mocked() -> None:
    assert mock.parse(make_jobspec("true")) is None
    assert mock.parse(make_jobspec("true", system={"exec": {}})) is None
    test = mock.parse(make_jobspec("true", duration=5.0, system={"exec": {"test": {}}}))
    assert test == mock.MockTest(5.0)


@given(st.sets(st.integers(0, 20), min_size=1), st.data())
def test_shells_are_counted(ranks: set[int], data: st.DataObject) -> None:
    shells = Shells(ResourceSet.from_json(make_r(sorted(ranks))))
    assert shells.leader == min(ranks)
    order = data.draw(st.permutations(sorted(ranks)))
    for step in (shells.hear, shells.start):
        answers = [step(rank) for rank in [*order, *order]]
        assert answers == [n == len(order) for n in range(1, 2 * len(order) + 1)]
    for count, rank in enumerate(order, 1):
        assert shells.end(rank) == (count == len(order))
        assert list(shells.active) == sorted(order[count:])
        shells.validate_state()
