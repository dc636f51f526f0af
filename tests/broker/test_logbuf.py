"""What becomes of a log line (CONTRACTS A32)."""

import pytest

from fluxcore.broker.logbuf import LogBuffer, LogLevels, stderr_line, systemd_line
from fluxcore.handle.logline import parse_line


def line(severity: int, rank: int | str = 0, text: str = "hello") -> bytes:
    return f"<{severity << 3}>1 2026-11-22T07:31:21.140613Z {rank} kvs 12 - - {text}".encode()


class Rig:
    def __init__(self, rank: int = 0, **levels: object) -> None:
        self.shown: list[str] = []
        self.forwarded: list[bytes] = []
        self.log = LogBuffer(rank, LogLevels(**levels), self.shown.append, self.forwarded.append)


def test_the_ring_keeps_the_last_lines_of_this_rank() -> None:
    rig = Rig(ring_size=3)
    for n in range(5):
        assert rig.log.append(line(7, text=f"n{n}"))
    assert not rig.log.append(line(3, rank=1))
    assert list(rig.log.ring) == [line(7, text=f"n{n}") for n in (2, 3, 4)]
    assert rig.log.stats() == {"ring-used": 3, "count": 5, "local": 5, "remote": 1}
    rig.log.clear()
    assert rig.log.stats() == {"ring-used": 0, "count": 5, "local": 5, "remote": 1}


def test_a_level_keeps_lines_out_of_the_ring() -> None:
    rig = Rig(level=3)
    assert [rig.log.append(line(severity)) for severity in (2, 3, 4, 7)] == [
        True,
        True,
        False,
        False,
    ]


def test_all_that_reaches_the_leader_goes_to_the_file() -> None:
    rig = Rig()
    recorded: list[str] = []
    log = LogBuffer(0, LogLevels(level=3), rig.shown.append, rig.forwarded.append, recorded.append)
    log.append(line(7))
    log.append(line(3, rank=1))
    time = "Nov 22 07:31:21.140613 UTC 2026"
    assert recorded == [f"{time} kvs.debug[0]: hello", f"{time} kvs.err[1]: hello"]


def test_the_systems_log() -> None:
    said: list[tuple[int, str]] = []

    def syslog(severity: int, text: str) -> None:
        said.append((severity, text))

    for level in (-1, 3):
        log = LogBuffer(0, LogLevels(syslog_level=level), str, bytes, syslog=syslog)
        for severity in (2, 3, 4):
            log.append(line(severity, rank=severity))
    assert said == [(2, "kvs.crit[2]: hello"), (3, "kvs.err[3]: hello")]


def test_a_ring_of_none() -> None:
    rig = Rig(ring_size=0)
    assert not rig.log.append(line(3))
    assert rig.shown, "it is shown all the same"


@pytest.mark.parametrize(
    ("rank", "mode", "of_rank", "shown"),
    [
        (0, "leader", 0, [0, 1, 2, 3]),
        (0, "leader", 1, [0, 1, 2, 3]),  # forwarded from below
        (1, "leader", 1, [0, 1, 2]),  # critical ones at once
        (0, "local", 0, [0, 1, 2, 3]),
        (1, "local", 1, [0, 1, 2, 3]),
        (0, "local", 1, []),
    ],
)
def test_what_goes_to_stderr(rank: int, mode: str, of_rank: int, shown: list[int]) -> None:
    for severity in range(8):
        rig = Rig(rank, stderr_mode=mode)
        rig.log.append(line(severity, rank=of_rank))
        assert len(rig.shown) == (severity in shown), f"severity {severity}"


@pytest.mark.parametrize(("rank", "forwarded"), [(0, []), (1, [0, 1, 2, 3])])
def test_what_goes_up(rank: int, forwarded: list[int]) -> None:
    rig = Rig(rank)
    for severity in range(8):
        rig.log.append(line(severity, rank=rank))
        rig.log.append(line(severity, rank=9))
    expected = [line(severity, rank=r) for severity in forwarded for r in (rank, 9)]
    assert rig.forwarded == expected


def test_lines_as_people_and_systemd_read_them() -> None:
    entry = parse_line(line(3, rank=2, text="oops"))
    assert stderr_line(entry) == "Nov 22 07:31:21.140613 UTC 2026 kvs.err[2]: oops"
    assert systemd_line(entry) == "<3>kvs.err[2]: oops"
    assert stderr_line(parse_line(b"no log line")) == "- -.info[-]: no log line"


def test_a_timestamp_that_is_none_is_left_alone() -> None:
    for stamp in ("-", "2026-13-01T00:00:00Z", "2026-xx-01T0", "2026-²-01T0", "yesterday"):
        entry = parse_line(f"<24>1 {stamp} 0 a 1 - - x".encode())
        assert stderr_line(entry).startswith(stamp)
