from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LogEntry
from fluxtop.data.log import LogBatch, LogModel


def batch(*texts: str, first: bool = False, severity: int = 6) -> LogBatch:
    return LogBatch(
        first, tuple(LogEntry(severity, "2026-11-22T11:00:00.1Z", "0", "kvs", t) for t in texts)
    )


def shown(model: LogModel) -> list[str]:
    return [row.entry.text for row in model.rows]


def test_lines_are_shown_in_the_order_they_came():
    model = LogModel()
    model.apply(batch("a", "b", first=True))
    model.apply(batch("c"))
    assert shown(model) == ["a", "b", "c"]


def test_a_new_connection_begins_the_log_anew():
    model = LogModel()
    model.apply(batch("a", first=True))
    model.apply(batch("a", "b", first=True))
    assert shown(model) == ["a", "b"]


def test_the_level_and_the_filter_let_lines_through():
    model = LogModel()
    model.apply(batch("one", "two"))
    model.apply(batch("three", severity=LOG_ERR))
    model.show(level=LOG_ERR)
    assert shown(model) == ["three"]
    model.show(level=LOG_DEBUG, needle="T")
    assert shown(model) == ["two", "three"]
    model.apply(batch("ten", "eleven nine"))
    assert shown(model) == ["two", "three", "ten"]


def test_the_oldest_lines_go_when_there_are_too_many():
    model = LogModel(capacity=100)
    for n in range(1000):
        model.apply(batch(str(n)))
        assert model.rows.total <= 110
    assert shown(model)[-1] == "999"
    assert shown(model)[0] >= "890"
