"""Who may connect: the ZeroMQ authentication protocol (RFC 27 of ZeroMQ), for CURVE only.

libzmq asks about each handshake over an inproc socket before any message of the peer is seen.
A peer whose public key is not in the set gets nowhere.
"""

from collections.abc import Callable
from typing import Final

import zmq

_ENDPOINT: Final = "inproc://zeromq.zap.01"
_VERSION: Final = b"1.0"
DOMAIN: Final = b"flux"


class Authenticator:
    """Answers libzmq's questions with the public keys (32 bytes each) of ``allowed``."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", log: Callable[[str], None]):
        self.allowed: set[bytes] = set()
        self._log = log
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer one question; the socket must have one."""
        frames = self.socket.recv_multipart()
        if len(frames) < 6 or frames[0] != _VERSION:
            self._reply(frames[1] if len(frames) > 1 else b"", b"400", b"bad request")
            return
        _version, request_id, domain, address, _identity, mechanism, *credentials = frames
        known = mechanism == b"CURVE" and domain == DOMAIN and credentials[:1]
        if known and credentials[0] in self.allowed:
            self._reply(request_id, b"200", b"OK")
        else:
            self._log(f"rejected a connection from {address.decode(errors='replace') or 'ipc'}")
            self._reply(request_id, b"400", b"access denied")

    def _reply(self, request_id: bytes, status: bytes, text: bytes) -> None:
        self.socket.send_multipart([_VERSION, request_id, status, text, b"", b""])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
