"""The options of content-sqlite: of its [content-sqlite] table and of ``flux module load``."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fluxcore.handle.errors import rpc_error

_JOURNAL_MODES: Final = ("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF")
_SYNCHRONOUS: Final = ("EXTRA", "FULL", "NORMAL", "OFF")


@dataclass(frozen=True, slots=True)
class Options:
    """SQLite's own words for its pragmas; how many checkpoints are kept."""

    journal_mode: str = "WAL"
    synchronous: str = "NORMAL"
    max_checkpoints: int = 5
    truncate: bool = False

    def checked(self, source: str) -> "Options":
        """These options.

        :raises OSError: EINVAL, one is not allowed
        """
        if self.journal_mode not in _JOURNAL_MODES:
            raise rpc_error(errno.EINVAL, f"invalid journal_mode {source}")
        if self.synchronous not in _SYNCHRONOUS:
            raise rpc_error(errno.EINVAL, f"invalid synchronous {source}")
        if self.max_checkpoints <= 0:
            raise rpc_error(errno.EINVAL, f"invalid max_checkpoints {source}")
        return self


def configured(options: Options, conf: Mapping[str, Any]) -> Options:
    """``options`` with what the configuration's [content-sqlite] table says.

    :raises OSError: EINVAL, the table is wrong
    """
    table = conf.get("content-sqlite", {})
    for name, kind in (("journal_mode", str), ("synchronous", str), ("max_checkpoints", int)):
        if name in table:
            if type(table[name]) is not kind:
                raise rpc_error(errno.EINVAL, f"invalid {name} config")
            options = replace(options, **{name: table[name]})
    return options.checked("config")


def with_args(options: Options, args: Sequence[str]) -> Options:
    """``options`` with what the module was loaded with.

    :raises OSError: EINVAL, an argument is unknown or wrong
    """
    for arg in args:
        name, equals, value = arg.partition("=")
        if arg == "truncate":
            options = replace(options, truncate=True)
        elif equals and name == "journal_mode":
            options = replace(options, journal_mode=value)
        elif equals and name == "synchronous":
            options = replace(options, synchronous=value)
        elif equals and name == "max-checkpoints":
            number = int(value) if value.isascii() and value.isdigit() else 0
            options = replace(options, max_checkpoints=number)
        else:
            raise rpc_error(errno.EINVAL, f"Unknown module option: '{arg}'")
    return options.checked("specified")
