"""Mock execution: ``attributes.system.exec.test`` of a jobspec (CONTRACTS D20).

No task is run: the job starts at once and ends when its time is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fluxcore.job.fsd import parse_fsd
from fluxcore.job.jobspec import Jobspec


@dataclass(frozen=True, slots=True)
class MockTest:
    """How a job is mocked. Without a ``duration`` (0) it runs until it is ended."""

    duration: float
    wait_status: int = 0
    #: Where an exception is raised: "init" or "run".
    exception: str | None = None
    #: Start, and end a job without duration, by job-exec.override.
    override: bool = False
    #: A job that is found again after a restart has ended meanwhile.
    reattach_finish: bool = False


def parse(jobspec: Jobspec) -> MockTest | None:
    """How the job of ``jobspec`` is mocked; None if it is not.

    :raises ValueError: the object is malformed
    """
    system: Mapping[str, Any] = jobspec["attributes"]["system"]
    table = system.get("exec")
    test = table.get("test") if isinstance(table, dict) else None
    if test is None:
        return None
    if not isinstance(test, dict):
        raise ValueError("exec.test must be an object")
    duration = float(system["duration"])
    if "run_duration" in test:
        duration = parse_fsd(_need(test, "run_duration", str, ""))
    return MockTest(
        duration,
        _need(test, "wait_status", int, 0),
        test.get("mock_exception"),
        bool(_need(test, "override", int, 0)),
        bool(_need(test, "reattach_finish", int, 0)),
    )


def _need(test: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = test.get(key, default)
    if not isinstance(value, kind):
        raise ValueError(f"exec.test.{key} must be of type {kind.__name__}")
    return value
