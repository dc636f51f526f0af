"""Who is at the other end of a UNIX socket (the one place that asks the kernel)."""

import socket
import struct
import sys
from typing import Final

_LINUX_CRED: Final = struct.Struct("iII")  # pid, uid, gid
_XUCRED: Final = struct.Struct("IIh16I")  # version, uid, ngroups, groups
_LOCAL_PEERCRED: Final = 0x001
_LOCAL_PEERPID: Final = 0x002
_PID: Final = struct.Struct("i")


def peer_userid(sock: socket.socket) -> int:
    """The user id of the process that connected ``sock``."""
    if sys.platform == "linux":
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX_CRED.size)
        return int(_LINUX_CRED.unpack(data)[1])
    data = sock.getsockopt(0, _LOCAL_PEERCRED, _XUCRED.size)
    return int(_XUCRED.unpack(data)[1])


def peer_pid(sock: socket.socket) -> int:
    """The process id of the process that connected ``sock``."""
    if sys.platform == "linux":
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX_CRED.size)
        return int(_LINUX_CRED.unpack(data)[0])
    data = sock.getsockopt(0, _LOCAL_PEERPID, _PID.size)
    return int(_PID.unpack(data)[0])
