"""The directories of a broker: rundir for sockets, statedir for what outlives it (B10)."""

import errno
import os
import shutil
import stat
import tempfile
from typing import Final

from fluxcore.broker.attributes import Attributes
from fluxcore.handle.errors import rpc_error

#: Bytes of the longest path that a UNIX socket can have; a NUL comes after them.
SOCKET_PATH_MAX: Final = 107
#: The same less the longest name we put in a rundir.
_MAX_PATH: Final = SOCKET_PATH_MAX - len("/local-9999")


class BrokerDir:
    """A directory named by an attribute, made if need be, removed at the end if it was made here.

    With the attribute unset, a new directory is made in ``parent``; set to one that is missing,
    that one is made; set to one with the sticky bit (such as /tmp), a new one is made in it. One
    that was there before is left alone, unless the attribute NAME-cleanup says otherwise.

    :raises OSError: with a text that says what is wrong
    """

    def __init__(self, attrs: Attributes, name: str, parent: str) -> None:
        path = attrs.get(name)
        made = True
        if path is None:
            path = _make_in(parent)
        elif not os.path.exists(path):
            _make(path)
        elif os.stat(path).st_mode & stat.S_ISVTX:
            path = _make_in(path)
        else:
            made = False
        try:
            check_directory(path)
            if name == "rundir":
                _check_length(path)
        except OSError:
            if made:
                os.rmdir(path)
            raise
        if attrs.get(name) != path:
            attrs.set(name, path)
        attrs.setdefault(f"{name}-cleanup", int(made))
        self.path = path
        self._cleanup = attrs[f"{name}-cleanup"] != "0"

    def close(self) -> None:
        """Remove the directory, if that is ours to do."""
        if self._cleanup:
            shutil.rmtree(self.path, ignore_errors=True)


def _make_in(parent: str) -> str:
    try:
        return tempfile.mkdtemp(prefix="flux-", dir=parent)
    except OSError as exc:
        text = f"cannot create directory in {parent}: {exc.strerror}"
        raise rpc_error(exc.errno or errno.EINVAL, text) from None


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except OSError as exc:
        text = f"error creating {path}: {exc.strerror}"
        raise rpc_error(exc.errno or errno.EINVAL, text) from None


def _check_length(path: str) -> None:
    size = len(path.encode())
    if size > _MAX_PATH:
        text = f"length of {size} bytes exceeds max {_MAX_PATH}"
        raise rpc_error(errno.EOVERFLOW, f"{text} to allow for AF_UNIX socket creation.")


def check_directory(path: str) -> None:
    """Check that ``path`` is a directory of the instance owner's, who may do anything in it.

    :raises OSError: with a text that says what is wrong
    """
    try:
        status = os.stat(path)
    except OSError as exc:
        text = f"cannot stat {path}: {exc.strerror}"
        raise rpc_error(exc.errno or errno.EINVAL, text) from None
    if status.st_uid != os.geteuid():
        raise rpc_error(errno.EPERM, f"{path} is not owned by instance owner")
    if not stat.S_ISDIR(status.st_mode):
        raise rpc_error(errno.ENOTDIR, f"{path}: Not a directory")
    if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        raise rpc_error(errno.EPERM, f"{path} does not have owner=rwx permissions")
