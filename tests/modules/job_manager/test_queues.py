import errno

import pytest

from fluxcore.modules.job_manager.queues import Queues


def error(call: object, *args: object, **options: object) -> tuple[int | None, str | None]:
    assert callable(call)
    with pytest.raises(OSError) as caught:
        call(*args, **options)
    return caught.value.errno, caught.value.strerror


def test_without_configuration_there_is_one_queue() -> None:
    queues = Queues()
    assert queues.names() == []
    assert queues.find(None).status(scheduler=True) == {"enable": True, "start": True}
    assert error(queues.find, "nosuch") == (errno.EINVAL, "'nosuch' is not a valid queue")
    assert error(queues.check_submit, "nosuch") == (errno.EINVAL, "'nosuch' is not a valid queue")


def test_a_disabled_queue_takes_no_jobs() -> None:
    queues = Queues()
    queues.find(None).disable("maintenance")
    text = "job submission is disabled: maintenance"
    assert error(queues.check_submit, None) == (errno.EINVAL, text)
    assert queues.find(None).status(scheduler=True) == {
        "enable": False,
        "start": True,
        "disable_reason": "maintenance",
    }
    queues.find(None).enable()
    queues.check_submit(None)


def test_a_stopped_queue_says_why() -> None:
    queue = Queues().find(None)
    queue.stop("broken", checkpoint=False)
    assert queue.status(scheduler=True)["stop_reason"] == "broken"
    assert queue.to_json() == {"enable": True, "start": True}
    assert queue.status(scheduler=False) == {
        "enable": True,
        "start": False,
        "stop_reason": "Scheduler is offline",
    }


def test_named_queues_begin_stopped() -> None:
    queues = Queues()
    queues.configure({"batch": {"requires": ["cpu"]}, "debug": {}})
    assert queues.names() == ["batch", "debug"]
    assert queues.find("batch").requires == ("cpu",)
    assert not queues.started("batch")
    assert error(queues.find, None) == (errno.EINVAL, "a named queue is required")
    text = "Use --all to apply this command to all queues"
    assert error(queues.chosen, None, everyone=False) == (errno.EINVAL, text)
    for queue in queues.chosen(None, everyone=True):
        queue.start()
    assert queues.started("batch")
    text = "job submission to debug is disabled: no"
    queues.find("debug").disable("no")
    assert error(queues.check_submit, "debug") == (errno.EINVAL, text)


def test_a_queue_that_stays_keeps_its_state() -> None:
    queues = Queues()
    queues.configure({"a": {}, "b": {}})
    queues.find("a").start()
    queues.configure({"a": {"requires": ["x"]}, "c": {}})
    assert queues.names() == ["a", "c"]
    assert queues.started("a")
    queues.configure({})
    assert queues.names() == []
    assert queues.started(None)


def test_a_bad_table_changes_nothing() -> None:
    queues = Queues()
    queues.configure({"a": {}})
    text = "queue b: configuration must be a table"
    assert error(queues.configure, {"b": 1}) == (errno.EINVAL, text)
    assert queues.names() == ["a"]


def test_checkpoints() -> None:
    queues = Queues()
    queues.configure({"a": {}, "b": {}, "c": {}})
    queues.find("a").start()
    queues.find("b").disable("why not")
    queues.find("c").stop("because")
    saved = queues.to_json()
    again = Queues()
    again.configure({"a": {}, "b": {}, "c": {}, "new": {}})
    again.restore([*saved, {"name": "gone", "enable": True, "start": True}])
    assert again.to_json()[:3] == saved
    assert again.started("a")
