"""What a broker is set up with: attributes, levels, its initial program."""

import errno
import os
import pwd
import syslog
from pathlib import Path

import pytest

from fluxcore.broker import setup
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.overlay.settings import OverlaySettings
from fluxcore.overlay.topology import Topology


def refusal(what: object, *args: object) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:
        what(*args)
    return caught.value.errno, caught.value.strerror


def attrs_with(**values: str) -> Attributes:
    attrs = Attributes()
    for name, value in values.items():
        attrs.set(name.replace("_", "-"), value)
    return attrs


def boot(size: int = 4, rank: int = 0) -> BootInfo:
    return BootInfo(rank, size, Topology.parse("kary:2", size), [f"host{n}" for n in range(size)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nosuch", "nosuch: unknown attribute"),
        ("rank", "rank: attribute may not be set on the command line"),
    ],
)
def test_a_command_line_that_is_refused(name: str, text: str) -> None:
    options = BrokerOptions(setattrs=[(name, "1")])
    assert refusal(setup.first_attributes, options, "h")[1] == text


def test_attributes_before_bootstrap() -> None:
    options = BrokerOptions(setattrs=[("hostname", "other")], conf_path="/etc/x", verbose=2)
    attrs = setup.first_attributes(options, "h")
    assert attrs["hostname"] == "other"
    assert attrs["config.path"] == "/etc/x"
    assert attrs["broker.pid"] == str(os.getpid())
    assert attrs["security.owner"] == str(os.getuid())
    assert (attrs["log-stderr-mode"], attrs["log-stderr-level"]) == ("local", "7")


def test_attributes_after_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", "local:///parent")
    attrs = setup.first_attributes(BrokerOptions(), "host1")
    setup.boot_attributes(attrs, boot(rank=1))
    expected = {
        "rank": "1",
        "size": "4",
        "hostlist": "host[0-3]",
        "tbon.level": "1",
        "tbon.maxlevel": "2",
        "tbon.descendants": "1",
        "broker.critical-ranks": "0-1",
        "broker.quorum": "4",
        "instance-level": "0",
        "jobid-path": "/",
        "tbon.torpid_max": "30s",
    }
    assert {name: attrs[name] for name in expected} == expected
    assert attrs.get("parent-uri") is None
    assert "FLUX_URI" not in os.environ


def test_the_socket_is_in_the_rundir_unless_told(short_path: Path) -> None:
    attrs = attrs_with()
    setup.local_uri(attrs, "/run/x", 3)
    assert attrs["local-uri"] == "local:///run/x/local-3"
    attrs = attrs_with(local_uri=f"local://{short_path}/sock")
    setup.local_uri(attrs, "/run/x", 3)
    assert attrs["local-uri"] == f"local://{short_path}/sock"


def test_a_socket_that_cannot_be(short_path: Path) -> None:
    (short_path / "private").mkdir(mode=0o500)
    file = short_path / "file"
    file.touch()
    long = "x" * 100
    for uri, text in (
        ("baduri", "local-uri is malformed"),
        (
            "local:///noexist/x",
            "local-uri directory cannot stat /noexist: No such file or directory",
        ),
        (f"local://{file}/x", f"local-uri directory {file}: Not a directory"),
        (
            f"local://{short_path}/private/x",
            f"local-uri directory {short_path}/private does not have owner=rwx permissions",
        ),
        (
            f"local:///{long}/local-0",
            "local-uri length of 109 bytes exceeds max 107 AF_UNIX socket path length",
        ),
    ):
        assert refusal(setup.local_uri, attrs_with(local_uri=uri), "/run", 0)[1] == text


def test_a_nested_instance_knows_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", "local:///parent")
    monkeypatch.setenv("FLUX_JOB_ID_PATH", "/f1")
    monkeypatch.setenv("FLUX_KVS_NAMESPACE", "job-1")
    attrs = setup.first_attributes(BrokerOptions(), "h")
    info = boot()
    info.attrs["jobid"] = "f1"
    setup.boot_attributes(attrs, info)
    assert attrs["parent-uri"] == "local:///parent"
    assert attrs["jobid-path"] == "/f1"
    assert attrs["parent-kvs-namespace"] == "job-1"
    assert "FLUX_KVS_NAMESPACE" not in os.environ


@pytest.mark.parametrize("quorum", ["0", "5", "x", "-1", "1.5", ""])
def test_a_quorum_that_is_none(quorum: str) -> None:
    attrs = setup.first_attributes(BrokerOptions(setattrs=[("broker.quorum", quorum)]), "h")
    text = "Error parsing broker.quorum attribute"
    assert refusal(setup.boot_attributes, attrs, boot()) == (errno.EINVAL, text)


def test_a_warning_period_that_is_none() -> None:
    attrs = setup.first_attributes(BrokerOptions(setattrs=[("broker.quorum-warn", "x")]), "h")
    text = "Error parsing broker.quorum-warn attribute"
    assert refusal(setup.boot_attributes, attrs, boot()) == (errno.EINVAL, text)
    attrs = setup.first_attributes(BrokerOptions(setattrs=[("broker.quorum-warn", "none")]), "h")
    setup.boot_attributes(attrs, boot())


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("tbon.torpid_min", "0", "tbon.torpid_min must be nonzero"),
        ("tbon.torpid_min", "x", "error parsing tbon.torpid_min attribute"),
        ("tbon.torpid_min", "-1s", "error parsing tbon.torpid_min attribute"),
        ("tbon.torpid_min", "30s", "tbon.torpid_min must be less than torpid_max"),
        ("tbon.torpid_max", "3s", "tbon.torpid_min must be less than torpid_max"),
        ("tbon.torpid_max", "x", "error parsing tbon.torpid_max attribute"),
        ("tbon.child_rcvhwm", "1", "tbon.child_rcvhwm must be 0 (unlimited) or >= 2"),
        ("tbon.child_rcvhwm", "-1", "tbon.child_rcvhwm must be 0 (unlimited) or >= 2"),
        ("tbon.child_rcvhwm", "x", "tbon.child_rcvhwm value must be an integer"),
        ("tbon.zmq_io_threads", "0", "tbon.zmq_io_threads must be >= 1"),
        ("tbon.zmq_io_threads", "x", "tbon.zmq_io_threads value must be an integer"),
    ],
)
def test_an_overlay_setting_that_is_refused(name: str, value: str, text: str) -> None:
    """CONTRACTS B9: fatal at start, with a text."""
    options = BrokerOptions(setattrs=[(name, value)])
    assert refusal(setup.first_attributes, options, "h") == (errno.EINVAL, text)


def test_overlay_settings() -> None:
    attrs = Attributes()
    assert OverlaySettings.read(attrs) == OverlaySettings(5.0, 30.0, 0, 1)
    assert attrs["tbon.torpid_min"] == "5s"
    attrs.set("tbon.torpid_max", "0")
    assert OverlaySettings.read(attrs).torpid_max == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log-level", "8"),
        ("log-level", "x"),
        ("log-level", "-2"),
        ("log-stderr-level", "8"),
        ("log-forward-level", "err"),
        ("log-critical-level", ""),
        ("log-syslog-level", "8"),
        ("log-syslog-level", "5xx"),
        ("log-ring-size", "x"),
        ("log-ring-size", "-1"),
        ("log-stderr-mode", "both"),
    ],
)
def test_a_log_attribute_that_is_refused(name: str, value: str) -> None:
    attrs = Attributes()
    attrs.set(name, value)
    assert refusal(setup.log_levels, attrs) == (errno.EINVAL, f"{name}: Invalid argument")


@pytest.mark.parametrize("value", ["2", "", "yes", None])
def test_a_log_flag_that_is_refused(value: str | None) -> None:
    attrs = Attributes()
    attrs.set("log-syslog-enable", value)
    text = "log-syslog-enable: value must be 0 or 1"
    assert refusal(setup.log_levels, attrs) == (errno.EINVAL, text)


def test_the_systems_log_is_written_to_if_that_is_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.log_levels(attrs_with()).syslog_level == -1
    attrs = attrs_with(log_syslog_enable="1", log_syslog_level="4", jobid_path="/f1")
    assert setup.log_levels(attrs).syslog_level == 4
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda *args: said.append(args))
    setup.system_log(attrs)(3, "kvs.err[0]: x")
    assert said == [(3, f"{pwd.getpwuid(os.geteuid()).pw_name}@/f1 kvs.err[0]: x")]


def test_log_levels() -> None:
    attrs = attrs_with(log_level="-1", log_ring_size="0", log_stderr_mode="local")
    levels = setup.log_levels(attrs)
    assert (levels.level, levels.ring_size, levels.stderr_mode) == (-1, 0, "local")
    assert attrs["log-forward-level"] == "3"


# -- the initial program (B17) --------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHELL", "/bin/zsh")
    return "/bin/zsh"


@pytest.mark.parametrize("command", [[], ["bash"], ["/bin/sh"]])
def test_no_interactive_shell_without_a_terminal(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _fd: False)
    text = "stdin is not a tty - can't run interactive shell"
    with pytest.raises(OSError) as caught:
        setup.rc2_command(command, own_group=True)
    assert (caught.value.errno, caught.value.strerror) == (errno.EINVAL, text)


def test_an_interactive_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    assert setup.rc2_command([], own_group=True).argv == [shell]
    assert setup.rc2_command(["/bin/bash"], own_group=True).argv == ["/bin/bash"]


def test_one_word_is_a_program_or_a_command_line(shell: str, tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_text("#!/bin/sh\n")
    line = [shell, "-c", str(program)]
    assert setup.rc2_command([str(program)], own_group=True).argv == line, "not executable"
    program.chmod(0o755)
    assert setup.rc2_command([str(program)], own_group=True).argv == [str(program)]
    assert setup.rc2_command([str(tmp_path)], own_group=True).argv[1] == "-c", "a directory"
    assert setup.rc2_command(["true && false"], own_group=True).argv[2] == "true && false"


def test_more_words_are_a_program_and_its_arguments() -> None:
    command = setup.rc2_command(["bash", "-c", "true"], own_group=False)
    assert (command.argv, command.own_group) == (["bash", "-c", "true"], False)
