"""Connecting to a broker's socket (CONTRACTS A4)."""

import errno
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from fluxcore.handle.errors import rpc_error

_RETRIES: Final = 5
_FIRST_DELAY: Final = 0.016
_AUTH_TIMEOUT: Final = 30.0


def open_socket(path: str, environ: Mapping[str, str] = os.environ) -> socket.socket:
    """A connected socket whose server has let us in: it said so with one zero byte.

    A refused connection is tried again, five times from 16 ms on (environment
    FLUX_LOCAL_CONNECTOR_RETRY_COUNT), because a broker's listen queue is short.

    :raises OSError: ENOENT or ECONNREFUSED if there is no broker, else the errno that the
        server sent instead of zero
    """
    sock = _connect(path, _retry_count(environ))
    try:
        sock.settimeout(_AUTH_TIMEOUT)
        try:
            answer = sock.recv(1)
        except TimeoutError:
            text = f"broker socket {path} does not answer"
            raise rpc_error(errno.ETIMEDOUT, text) from None
        if not answer:
            raise rpc_error(errno.ECONNRESET)
        if answer[0]:
            raise rpc_error(answer[0])
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def _retry_count(environ: Mapping[str, str]) -> int:
    text = environ.get("FLUX_LOCAL_CONNECTOR_RETRY_COUNT")
    return int(text) if text is not None and text.isdecimal() else _RETRIES


def _connect(path: str, retries: int) -> socket.socket:
    delay = _FIRST_DELAY
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.connect(path)
        except FileNotFoundError:
            sock.close()
            raise rpc_error(errno.ENOENT, f"broker socket {path} was not found") from None
        except OSError as exc:
            sock.close()
            if exc.errno is None:  # Python itself refuses a path that the kernel would
                raise rpc_error(errno.ENAMETOOLONG) from None
            if retries <= 0 or exc.errno not in (errno.ECONNREFUSED, errno.EAGAIN):
                raise
            retries -= 1
            time.sleep(delay)
            delay *= 2
        else:
            return sock
