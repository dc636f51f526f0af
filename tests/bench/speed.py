"""Speed: round trips, start, jobs, commits."""

from tests.bench.engines import Engine
from tests.bench.report import Figure


def _rpc(engine: Engine) -> float:
    return engine.client(1, "rpc", "heartbeat.ping", 5000)[0]


def _start_1(engine: Engine) -> float:
    return engine.seconds(1, "true")


def _start_16(engine: Engine) -> float:
    return engine.seconds(16, "true")


def _jobs(engine: Engine) -> float:
    return engine.client(1, "jobs", 200)[0]


def _commits(engine: Engine) -> float:
    return engine.client(1, "commits", 1000)[0]


SPEED = (
    Figure("rpc to a module, one at a time, median", "ms", _rpc, "0.10, flux-core's 0.156"),
    Figure("flux start -s 1 true", "s", _start_1, "half of flux-core's 0.95"),
    Figure("flux start -s 16 true", "s", _start_16, "a quarter of flux-core's 3.3"),
    Figure("200 real jobs (/bin/true)", "jobs/s", _jobs, "300; flux-core 51-55", more=True),
    Figure("1,000 KVS puts in one directory", "1/s", _commits, "1,000; flux-core 385", more=True),
)
