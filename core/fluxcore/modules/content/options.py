"""The options of ``flux module load content NAME=VALUE...``."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fluxcore.handle.errors import rpc_error
from fluxcore.modules.content.writeback import BATCH_LIMIT


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes in bytes, ages in seconds.

    The heartbeat drops what was not used for ``purge_old_entry``, the oldest first, until
    ``purge_target_size`` or less is left. The blob limit is far above RFC 10's, as flux-core's
    is, because a KVS directory is one blob.
    """

    purge_target_size: int = 16 << 20
    purge_old_entry: int = 10
    flush_batch_limit: int = BATCH_LIMIT
    blob_size_limit: int = 1 << 30


def parse_options(args: Sequence[str]) -> Options:
    """The options in ``args``.

    :raises OSError: EINVAL, one is unknown or no number
    """
    options = Options()
    for arg in args:
        name, equals, value = arg.partition("=")
        field = name.replace("-", "_")
        if not equals or "_" in name or field not in Options.__dataclass_fields__:
            raise rpc_error(errno.EINVAL, f"unknown module option: {arg}")
        if not value.isascii() or not value.isdigit() or int(value) > 0xFFFFFFFF:
            raise rpc_error(errno.EINVAL, f"error parsing {arg}")
        options = replace(options, **{field: int(value)})
    return options
