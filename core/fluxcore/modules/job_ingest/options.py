"""The arguments and the configuration of job-ingest."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error

#: Ranks above this make no ids (RFC 19 has room for 2**14 generators, 16 are kept free).
MAX_GENERATOR: Final = 2**14 - 16 - 1

#: What configures flux-core's validator processes; jobspecs are checked in the module itself.
_IGNORED: Final = ("validator-args", "validator-plugins", "buffer-size")


@dataclass(frozen=True, slots=True)
class Options:
    """``batch_count`` is after how many jobs a batch is sent, 0 for at the end of the turn."""

    batch_count: int = 0
    validate: bool = True
    allow_root: bool = False
    max_generator: int = MAX_GENERATOR


def parse_options(args: Sequence[str], conf: Mapping[str, Any]) -> Options:
    """The options of the ``[ingest]`` table and of the module's arguments.

    :raises OSError: EINVAL and which is wrong
    """
    table = conf.get("ingest", {})
    validator = table.get("validator", {}) if isinstance(table, dict) else None
    if not isinstance(validator, dict):
        raise rpc_error(errno.EINVAL, "error reading [ingest] config table")
    count = table.get("batch-count", 0)
    if type(count) is not int:
        raise rpc_error(errno.EINVAL, "error reading [ingest] config table: batch-count")
    check, allow_root, most = not validator.get("disable", False), False, MAX_GENERATOR
    for arg in args:
        name, _, value = arg.partition("=")
        if arg == "disable-validator":
            check = False
        elif arg == "allow-root-jobs":
            allow_root = True
        elif name == "batch-count":
            count = _number(value, f"Invalid batch-count: {arg}")
        elif name == "max-fluid-generator-id":
            most = _number(value, f"Invalid max-fluid-generator-id: '{value}'", 2**14 - 1)
        elif name not in _IGNORED:
            raise rpc_error(errno.EINVAL, f"Invalid option: {arg}")
    return Options(count, check, allow_root, most)


def _number(text: str, refusal: str, most: int = 2**31 - 1) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise rpc_error(errno.EINVAL, refusal)
    return int(text)
