"""Wait statuses as exit codes and in words."""

import pytest

from fluxcore.job.waitstatus import exit_code, shell_exit


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (0, 0, ""),
        (3 << 8, 3, "task(s) exited with exit code 3"),
        (137 << 8, 137, "task(s) Killed"),
        (15, 143, "job shell Terminated"),
        (0x137F, 1, "unexpected wait(2) status 4991"),
        (1 << 63, 1, "unexpected wait(2) status 9223372036854775808"),
        (-1, 1, "unexpected wait(2) status -1"),
        # Above 128 there need not be a signal: exit(255) is what ssh and -1 come to.
        (255 << 8, 255, "task(s) Unknown signal 127"),
        (193 << 8, 193, "task(s) Unknown signal 65"),
        (0x7E, 254, "job shell Unknown signal 126"),
    ],
)
def test_the_end_of_a_job(status: int, code: int, text: str) -> None:
    assert shell_exit(status) == (code, text)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (255 << 8, 255), (9, 137), (0x80 | 6, 134)])
def test_exit_code(status: int, code: int) -> None:
    assert exit_code(status) == code
