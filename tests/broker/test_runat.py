"""Commands at turning points of a broker's life (CONTRACTS A41, B17)."""

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest

from fluxcore.broker.runat import Command, RunAt, parse_push, shell_command
from support.leaks import no_leaks


class Rig:
    def __init__(self, environ: dict[str, str] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.lines: list[tuple[int, str]] = []
        self._wanted: list[tuple[str, asyncio.Future[None]]] = []
        env = {"PATH": os.environ["PATH"], **(environ or {})}
        self.runat = RunAt(self.loop, self._log, lambda: env)

    def _log(self, level: int, text: str) -> None:
        self.lines.append((level, text))
        for part, future in self._wanted:
            if part in text and not future.done():
                future.set_result(None)

    async def logged(self, part: str) -> None:
        """Wait for a line with ``part``."""
        future = self.loop.create_future()
        self._wanted.append((part, future))
        if not any(part in text for _level, text in self.lines):
            await future

    async def run(self, name: str, *commands: Command) -> int:
        for command in commands:
            self.runat.append(name, command)
        done = self.loop.create_future()
        self.runat.start(name, done.set_result)
        return await done

    def texts(self) -> list[str]:
        return [text for _level, text in self.lines]


def sh(line: str) -> Command:
    return Command(["sh", "-c", line], log_output=True)


async def test_nothing_to_run() -> None:
    rig = Rig()
    assert not rig.runat.defined("rc2")
    assert await rig.run("rc2") == 0
    assert rig.lines == []


async def test_commands_run_in_order_and_the_first_failure_counts() -> None:
    rig = Rig()
    with no_leaks():
        assert await rig.run("x", sh("true"), sh("exit 3"), sh("exit 4"), sh("true")) == 3
    assert [text.rpartition(" ")[0] for text in rig.texts()] == [
        "x.0: sh -c true Exited (rc=0)",
        "x.1: sh -c exit 3 Exited (rc=3)",
        "x.2: sh -c exit 4 Exited (rc=4)",
        "x.3: sh -c true Exited (rc=0)",
    ]
    assert [level for level, _text in rig.lines] == [6, 3, 3, 6]


async def test_a_command_line_is_shown_without_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    rig = Rig()
    await rig.run("x", shell_command("true"))
    assert rig.texts()[0].startswith("x.0: true Exited (rc=0)")


async def test_output_is_logged_by_whole_lines(tmp_path: Path) -> None:
    """A line that is written in pieces is one line, and its last byte may be half a character."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    rig = Rig()
    script = f"printf 'first\\nsec'; cat {fifo}; printf 'ond \\303'; printf '\\274\\nlast'"
    running = asyncio.ensure_future(rig.run("x", sh(f"echo oops >&2; {script}")))
    await rig.logged("first")
    fifo.write_text("")  # now the rest of the line may come
    await running
    await rig.logged("last")
    lines = [entry for entry in rig.lines if "Exited" not in entry[1]]
    assert sorted(lines) == [
        (3, "x.0: oops"),
        (6, "x.0: first"),
        (6, "x.0: last"),
        (6, "x.0: second ü"),
    ]
    rig.runat.close()


async def test_output_held_open_by_what_a_command_left_running(tmp_path: Path) -> None:
    rig = Rig()
    with no_leaks():
        assert await rig.run("x", sh("cat /dev/zero >/dev/null & echo $!")) == 0
        await rig.logged("x.0: ")
        rig.runat.close()
    pid = next(int(t.partition(": ")[2]) for t in rig.texts() if "Exited" not in t)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["/nonexist/x"], 127, "No such file or directory"),
        (["/etc/passwd"], 126, "Permission denied"),
        (["a\0b"], 126, "embedded null byte"),
    ],
)
async def test_a_command_that_cannot_be_started(argv: list[str], code: int, text: str) -> None:
    rig = Rig()
    assert await rig.run("x", Command(argv), sh("true")) == code
    assert rig.texts()[0] == f"x.0: {argv[0]} {text} (rc={code}) 0.0s"
    assert rig.texts()[1].startswith("x.1: sh -c true Exited (rc=0)")


async def test_hanging_up() -> None:
    rig = Rig()
    running = asyncio.ensure_future(rig.run("x", sh("echo up; exec cat /dev/zero >/dev/null")))
    await rig.logged("up")
    rig.runat.append("x", sh("never run"))
    assert rig.runat.running("x")
    rig.runat.abort("x")
    assert await running == 128 + signal.SIGHUP
    assert rig.texts()[-1].startswith("x.0: sh -c echo up; exec cat /dev/zero >/dev/null Hangup (r")
    assert not any("never" in text for text in rig.texts())
    assert not rig.runat.running("x")
    rig.runat.abort("x")
    rig.runat.abort("nothing")


async def test_a_command_that_survives_its_hang_up_has_failed() -> None:
    rig = Rig()
    script = "trap 'exit 0' HUP; echo up; while :; do :; done"
    running = asyncio.ensure_future(rig.run("x", sh(script)))
    await rig.logged("up")
    rig.runat.abort("x")
    assert await running == 1
    assert "aborted after exit with rc=0 (rc=1)" in rig.texts()[-1]


async def test_push_puts_commands_in_front() -> None:
    rig = Rig()
    rig.runat.append("x", sh("echo old"))
    rig.runat.push("x", [sh("echo a"), sh("echo b")])
    assert rig.runat.defined("x")
    await rig.run("x")
    order = [t.split("echo ")[1].split()[0] for t in rig.texts() if "Exited" in t]
    assert order == ["a", "b", "old"]


async def test_what_must_not_leak_into_commands() -> None:
    rig = Rig(
        {
            "FLUX_URI": "local:///x",
            "FLUX_ENCLOSING_ID": "f1",
            "FLUX_PROXY_REMOTE": "h",
            "FLUX_KVS_NAMESPACE": "ns",
            "FLUX_JOB_ID": "f1",
            "FLUX_JOB_SIZE": "1",
            "FLUX_TASK_RANK": "0",
            "PMI_FD": "3",
            "PMIX_RANK": "1",
            "SLURM_JOBID": "2",
            "NOTIFY_SOCKET": "/run/x",
            "PALS_X": "1",
            "MY_OWN": "4",
        }
    )
    assert rig.runat.environment() == {
        "PATH": os.environ["PATH"],
        "FLUX_URI": "local:///x",
        "FLUX_ENCLOSING_ID": "f1",
        "MY_OWN": "4",
    }


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "commands array is empty"),
        ([""], "cannot push an empty command line"),
        (["a", ""], "cannot push an empty command line"),
        ([5], "cannot push an empty command line"),
        (["a", None], "cannot push an empty command line"),
    ],
)
def test_a_push_that_is_refused(lines: list[object], text: str) -> None:
    with pytest.raises(OSError, match=text) as caught:
        parse_push(lines)
    assert caught.value.errno == errno.EPROTO


def test_a_push() -> None:
    commands = parse_push(["echo a", "echo b"])
    assert [command.argv[-1] for command in commands] == ["echo a", "echo b"]
    assert all(command.log_output for command in commands)
