"""Broker attributes: the closed table of their names, and their values (CONTRACTS A30, B9)."""

import errno
from collections.abc import Iterator
from enum import Flag, auto
from fnmatch import fnmatchcase
from typing import Final

from fluxcore.handle.errors import rpc_error


class AttrFlag(Flag):
    """What may be done with an attribute."""

    NONE = 0
    #: Once set it never changes, so clients may keep it.
    IMMUTABLE = auto()
    #: It may not be set on the command line.
    READONLY = auto()
    #: Users may update it while the broker runs.
    RUNTIME = auto()


_I, _R, _T, _0 = AttrFlag.IMMUTABLE, AttrFlag.READONLY, AttrFlag.RUNTIME, AttrFlag.NONE

#: Every attribute that can exist; a name with ``*`` stands for all that match it.
TABLE: Final = {
    "rank": _R | _I,
    "size": _R | _I,
    "version": _R,
    "rundir": _0,
    "rundir-cleanup": _I,
    "statedir": _0,
    "statedir-cleanup": _I,
    "security.owner": _R | _I,
    "local-uri": _I,
    "parent-uri": _R | _I,
    "instance-level": _R | _I,
    "jobid": _R | _I,
    "jobid-path": _R | _I,
    "parent-kvs-namespace": _R | _I,
    "hostlist": _I,
    "hostname": _I,
    "broker.mapping": _R | _I,
    "broker.critical-ranks": _I,
    "broker.boot-method": _I,
    "broker.pid": _R | _I,
    "broker.quorum": _I,
    "broker.quorum-warn": _I,
    "broker.shutdown-warn": _I,
    "broker.shutdown-timeout": _I,
    "broker.cleanup-timeout": _0,
    "broker.unload-builtins-timeout": _0,
    "broker.rc1_path": _0,
    "broker.rc3_path": _0,
    "broker.rc2_none": _0,
    "broker.rc2_pgrp": _0,
    "broker.exit-restart": _T,
    "broker.exit-norestart": _0,
    "broker.module-nopanic": _T,
    "broker.starttime": _R | _I,
    "broker.sd-notify": _0,
    "broker.sd-stop-timeout": _I,
    "broker.recovery-mode": _0,
    "broker.uuid": _R | _I,
    "conf.shell_initrc": _T,
    "conf.shell_pluginpath": _T,
    "config.path": _I,
    "tbon.topo": _0,
    "tbon.fanout": _0,
    "tbon.descendants": _R,
    "tbon.level": _R,
    "tbon.maxlevel": _R,
    "tbon.endpoint": _R,
    "tbon.parent-endpoint": _R,
    "tbon.zmqdebug": _0,
    "tbon.zmq_io_threads": _0,
    "tbon.child_rcvhwm": _0,
    "tbon.prefertcp": _0,
    "tbon.interface-hint": _T | _I,
    "tbon.torpid_min": _0,
    "tbon.torpid_max": _0,
    "tbon.tcp_user_timeout": _0,
    "tbon.connect_timeout": _0,
    "log-ring-size": _I,
    "log-forward-level": _I,
    "log-critical-level": _I,
    "log-filename": _0,
    "log-syslog-enable": _I,
    "log-syslog-level": _I,
    "log-stderr-mode": _I,
    "log-stderr-level": _T,
    "log-level": _I,
    "content.backing-module": _0,
    "content.hash": _I,
    "content.dump": _T,
    "content.restore": _T,
    "cron.directory": _0,
    "test.*": _T,
    "test-ro.*": _R,
    "test-nr.*": _0,
    "test-im.*": _I,
    "test-rd.*": _T,
    "vendor.*": _T | _I,
}
_GLOBS: Final = tuple(name for name in TABLE if "*" in name)


def flags_of(name: str) -> AttrFlag:
    """The flags that the table gives ``name``.

    :raises FileNotFoundError: there is no such attribute
    """
    flags = TABLE.get(name)
    if flags is None:
        for pattern in _GLOBS:
            if fnmatchcase(name, pattern):
                return TABLE[pattern]
        raise rpc_error(errno.ENOENT, "unknown attribute")
    return flags


class Attributes:
    """The attributes of one broker. A value of None stands for set but without a value."""

    def __init__(self) -> None:
        self._values: dict[str, str | None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def get(self, name: str) -> str | None:
        """The value of ``name``, or None if it is not set."""
        return self._values.get(name)

    def __getitem__(self, name: str) -> str:
        value = self._values.get(name)
        if value is None:
            raise rpc_error(errno.ENOENT)
        return value

    def set(self, name: str, value: str | int | None) -> None:
        """Set ``name`` for the broker's own purposes.

        :raises OSError: ENOENT if the table has no such name, EPERM if it is immutable and set
        """
        flags = flags_of(name)
        if AttrFlag.IMMUTABLE in flags and name in self._values:
            raise rpc_error(errno.EPERM)
        self._values[name] = None if value is None else str(value)

    def setdefault(self, name: str, value: str | int) -> str:
        """The value of ``name``, which becomes ``value`` if it was not set."""
        if self.get(name) is None:
            self.set(name, value)
        return self[name]

    def set_on_command_line(self, name: str, value: str | None) -> None:
        """Set ``name`` as ``-S name=value`` does, or ``-S name`` without a value.

        :raises OSError: ENOENT "unknown attribute", EINVAL "attribute may not be set on the
            command line"
        """
        if AttrFlag.READONLY in flags_of(name):
            raise rpc_error(errno.EINVAL, "attribute may not be set on the command line")
        if name in self._values:
            del self._values[name]
        self.set(name, value)

    def check_update(self, name: str, force: bool) -> None:
        """Check that a user may set ``name`` while the broker runs.

        :raises OSError: ENOENT "unknown attribute", EINVAL "attribute may not be updated"
        """
        flags = flags_of(name)
        if name in self._values and not force and AttrFlag.RUNTIME not in flags:
            raise rpc_error(errno.EINVAL, "attribute may not be updated")

    def remove(self, name: str) -> None:
        """Unset ``name``; nothing happens if it is not set.

        :raises PermissionError: it is immutable
        """
        if name in self._values and AttrFlag.IMMUTABLE in flags_of(name):
            raise rpc_error(errno.EPERM)
        self._values.pop(name, None)

    def immutable(self, name: str) -> bool:
        """True if clients may keep the value of ``name``."""
        return AttrFlag.IMMUTABLE in flags_of(name)

    def immutables(self) -> dict[str, str]:
        """The immutable attributes that have a value: what a new module is told."""
        return {
            name: value
            for name, value in self._values.items()
            if value is not None and self.immutable(name)
        }
