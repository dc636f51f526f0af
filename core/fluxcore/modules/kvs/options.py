"""The options of the kvs module: of its [kvs] table and of ``flux module load``."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.job.fsd import parse_fsd
from fluxcore.kvs.blobref import valid_blobref


@dataclass(frozen=True, slots=True)
class Options:
    """``initial_rootref`` is what the primary namespace starts with instead of a checkpoint."""

    transaction_merge: bool = True
    initial_rootref: str = ""


def parse_args(args: Sequence[str]) -> Options:
    """The options in ``args``.

    :raises OSError: EINVAL, one is unknown or wrong
    """
    options = Options()
    for arg in args:
        name, _, value = arg.partition("=")
        if name == "transaction-merge" and value.isascii() and value.isdigit():
            options = replace(options, transaction_merge=int(value) != 0)
        elif name == "initial-rootref" and valid_blobref(value):
            options = replace(options, initial_rootref=value)
        else:
            raise rpc_error(errno.EINVAL, f"Unknown option `{arg}'")
    return options


def checkpoint_period(conf: Mapping[str, Any]) -> float:
    """Seconds between checkpoints of the primary namespace, 0 for none.

    :raises OSError: EINVAL, what ``[kvs] checkpoint-period`` says is no duration
    """
    table = conf.get("kvs", {})
    text = table.get("checkpoint-period", "0s") if isinstance(table, dict) else None
    if not isinstance(text, str):
        raise rpc_error(errno.EINVAL, "error reading config for kvs: Expected string")
    try:
        return parse_fsd(text)
    except ValueError:
        raise rpc_error(errno.EINVAL, f"invalid checkpoint-period config: {text}") from None
