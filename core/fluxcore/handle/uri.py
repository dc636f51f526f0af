"""Connector URIs: which broker a handle is for."""

import errno
import os
from collections.abc import Mapping

from fluxcore.handle.errors import rpc_error


def local_path(uri: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The socket path of ``uri``, by default of the one in FLUX_URI.

    :raises OSError: there is no URI (ENOENT), or it is of no kind that is known here (EINVAL)
    """
    target = uri or environ.get("FLUX_URI")
    if not target:
        raise rpc_error(errno.ENOENT, "no broker to connect to: FLUX_URI is not set")
    scheme, found, path = target.partition("://")
    if scheme != "local" or not found or not path:
        raise rpc_error(errno.EINVAL, f"{target}: not a local:// URI")
    return _unquoted(path)


def _unquoted(path: str) -> str:
    """``path`` with its escapes resolved; a command does not pay for what it has none of."""
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)
