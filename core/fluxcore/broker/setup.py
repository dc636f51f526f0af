"""Setting a broker up: its attributes before and after bootstrap, its log levels, its rc2."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from fluxcore import __version__
from fluxcore.broker import deadlines, rc
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.logbuf import LogLevels
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.broker.runat import Command, RunAt, shell_command, user_shell
from fluxcore.broker.rundir import SOCKET_PATH_MAX, check_directory
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO
from fluxcore.job.fsd import parse_fsd
from fluxcore.overlay.settings import OverlaySettings
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

_SHELLS = ("bash", "zsh", "csh", "tcsh", "ksh", "sh", "dash", "fish")


def first_attributes(options: BrokerOptions, hostname: str) -> Attributes:
    """The attributes before bootstrap: those of the command line and of the process.

    :raises OSError: a ``-S`` is wrong: "NAME: unknown attribute" and the like
    """
    attrs = Attributes()
    attrs.set("broker.pid", os.getpid())
    attrs.set("version", __version__)
    attrs.set("security.owner", os.getuid())
    for name, value in options.setattrs:
        try:
            attrs.set_on_command_line(name, value)
        except OSError as exc:
            raise rpc_error(exc.errno or errno.EINVAL, f"{name}: {exc.strerror}") from None
    attrs.setdefault("hostname", hostname)
    if options.conf_path is not None:
        attrs.set("config.path", options.conf_path)
    for script in ("broker.rc1_path", "broker.rc3_path"):
        attrs.setdefault(script, rc.BUILTIN)
    attrs.setdefault("content.hash", "sha1")
    attrs.setdefault("content.backing-module", rc.DEFAULT_BACKING)
    OverlaySettings.read(attrs)
    if options.verbose:
        attrs.setdefault("log-stderr-mode", "local")
        attrs.setdefault("log-stderr-level", LOG_DEBUG if options.verbose > 1 else LOG_INFO)
    return attrs


def boot_attributes(attrs: Attributes, boot: BootInfo) -> None:
    """Add what bootstrap has found out."""
    attrs.set("rank", boot.rank)
    attrs.set("size", boot.size)
    attrs.set("broker.starttime", f"{time.time():.2f}")
    attrs.setdefault("broker.boot-method", boot.method)
    attrs.setdefault("hostlist", Hostlist(boot.hosts).encode())
    topology = boot.topology
    attrs.set("tbon.level", topology.level(boot.rank))
    attrs.set("tbon.maxlevel", topology.max_level)
    attrs.set("tbon.descendants", topology.descendants(boot.rank))
    attrs.setdefault("broker.critical-ranks", IdSet(topology.internal_ranks()).encode())
    for name, value in boot.attrs.items():
        attrs.set(name, value)
    attrs.setdefault("instance-level", 0)
    for name, value in (
        ("tbon.prefertcp", "0"),
        ("broker.quorum", str(boot.size)),
        ("broker.quorum-warn", "1m"),
        *deadlines.DEFAULTS.items(),
    ):
        attrs.setdefault(name, value)
    _check_quorum(attrs["broker.quorum"], boot.size)
    for name in ("broker.quorum-warn", *deadlines.DEFAULTS):
        _check_duration(attrs, name)
    # Of what the environment says only a job believes that it is meant.
    parent = os.environ if "jobid" in attrs else {}
    attrs.set("parent-uri", parent.get("FLUX_URI"))
    if "jobid" in attrs:
        attrs.set("parent-kvs-namespace", parent.get("FLUX_KVS_NAMESPACE"))
    attrs.set("jobid-path", parent.get("FLUX_JOB_ID_PATH") or "/")
    for name in ("FLUX_URI", "FLUX_PROXY_REMOTE", "FLUX_KVS_NAMESPACE", "FLUX_JOB_ID_PATH"):
        os.environ.pop(name, None)


def local_uri(attrs: Attributes, rundir: str, rank: int) -> None:
    """Say where this broker's socket is, unless the command line does: then check that it can be.

    :raises OSError: with a text that says what is wrong
    """
    uri = attrs.get("local-uri")
    if uri is None:
        attrs.set("local-uri", f"local://{rundir}/local-{rank}")
        return
    if not uri.startswith("local://"):
        raise rpc_error(errno.EINVAL, "local-uri is malformed")
    path = uri.removeprefix("local://")
    size = len(path.encode())
    if size > SOCKET_PATH_MAX:
        text = f"local-uri length of {size} bytes exceeds max {SOCKET_PATH_MAX}"
        raise rpc_error(errno.EOVERFLOW, f"{text} AF_UNIX socket path length")
    try:
        check_directory(os.path.dirname(path))
    except OSError as exc:
        raise rpc_error(exc.errno or errno.EINVAL, f"local-uri directory {exc.strerror}") from None


def _check_quorum(text: str, size: int) -> None:
    if not text.isdigit() or not 1 <= int(text) <= size:
        raise rpc_error(errno.EINVAL, "Error parsing broker.quorum attribute")


def _check_duration(attrs: Attributes, name: str) -> None:
    """Check that an attribute is a duration, or "none".

    :raises OSError: EINVAL: it is not
    """
    try:
        if attrs[name] != "none":
            parse_fsd(attrs[name])
    except ValueError:
        raise rpc_error(errno.EINVAL, f"Error parsing {name} attribute") from None


def log_levels(attrs: Attributes) -> LogLevels:
    """The log attributes, with their defaults set.

    :raises OSError: EINVAL, naming the attribute that is wrong
    """
    levels = LogLevels()

    def number(name: str, default: int, least: int = -1, most: int = LOG_DEBUG) -> int:
        text = attrs.setdefault(name, default)
        try:
            value = int(text)
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            raise rpc_error(errno.EINVAL, f"{name}: Invalid argument")
        return value

    levels.level = number("log-level", levels.level)
    levels.stderr_level = number("log-stderr-level", LOG_ERR)
    levels.forward_level = number("log-forward-level", levels.forward_level)
    levels.critical_level = number("log-critical-level", levels.critical_level)
    syslog_level = number("log-syslog-level", LOG_ERR)
    if _flag(attrs, "log-syslog-enable"):
        levels.syslog_level = syslog_level
    levels.ring_size = number("log-ring-size", levels.ring_size, 0, 1 << 31)
    mode = attrs.setdefault("log-stderr-mode", levels.stderr_mode)
    if mode not in ("leader", "local"):
        raise rpc_error(errno.EINVAL, "log-stderr-mode: Invalid argument")
    levels.stderr_mode = "local" if mode == "local" else "leader"
    return levels


def _flag(attrs: Attributes, name: str) -> bool:
    value = "0" if name not in attrs else attrs.get(name)
    if value not in ("0", "1"):
        raise rpc_error(errno.EINVAL, f"{name}: value must be 0 or 1")
    attrs.setdefault(name, value)
    return value == "1"


def system_log(attrs: Attributes) -> Callable[[int, str], None]:
    """Writes to the system's log, each line with whose instance it is of."""
    import pwd
    import syslog

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = "unknown"
    who = f"{user}@{attrs['jobid-path']}"
    return lambda severity, text: syslog.syslog(severity, f"{who} {text}")


def open_log_file(attrs: Attributes, rank: int) -> TextIO | None:
    """The file that the log goes to: on rank 0, if ``log-filename`` names one.

    :raises OSError: it cannot be opened
    """
    path = attrs.get("log-filename")
    if rank > 0:
        attrs.set("log-filename", None)
        return None
    if path is None:
        return None
    try:
        return open(path, "a", buffering=1)
    except OSError as exc:
        raise rpc_error(exc.errno or errno.EINVAL, f"{path}: {exc.strerror}") from None


def define_scripts(runat: RunAt, attrs: Attributes, rank: int, command: Sequence[str]) -> None:
    """Put rc1, rc2 and rc3 where they run.

    :raises OSError: "stdin is not a tty - can't run interactive shell"
    """
    for name in ("rc1", "rc3"):
        path = attrs.get(f"broker.{name}_path")
        if path and path != rc.BUILTIN:
            runat.append(name, shell_command(path, log_output=True))
    if rank == 0 and "broker.rc2_none" not in attrs:
        runat.append("rc2", rc2_command(command, own_group=_rc2_own_group(attrs)))


def _rc2_own_group(attrs: Attributes) -> bool:
    """False if the broker leads its process group, so that it can end what rc2 leaves behind."""
    return os.getpgrp() != os.getpid() or "broker.rc2_pgrp" in attrs


def rc2_command(command: Sequence[str], *, own_group: bool) -> Command:
    """The initial program: a shell, a command line for the shell, or a program (B17).

    :raises OSError: a shell is wanted, and there is no terminal
    """
    if not command or (len(command) == 1 and os.path.basename(command[0]) in _SHELLS):
        if not os.isatty(0):
            text = "stdin is not a tty - can't run interactive shell"
            raise rpc_error(errno.EINVAL, text)
        argv = [command[0] if command else user_shell()]
    elif len(command) == 1 and not _is_program(command[0]):
        argv = [user_shell(), "-c", command[0]]
    else:
        argv = list(command)
    return Command(argv, own_group=own_group, foreground=True)


def _is_program(word: str) -> bool:
    return (
        not any(char.isspace() for char in word)
        and os.path.isfile(word)
        and os.access(word, os.X_OK | os.R_OK)
    )
