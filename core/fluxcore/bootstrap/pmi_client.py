"""The PMI-1 client of a broker (RFC 13, CONTRACTS G1): who am I, and what do the others say."""

import errno
import socket
from collections.abc import Mapping

from fluxcore.handle.errors import rpc_error
from fluxcore.shell.pmi_wire import LineReader, decode, encode


class PmiClient:
    """Speaks PMI-1 over a socket, one command at a time. It blocks: nothing else runs yet.

    :raises OSError: EPROTO where the server says something unexpected, ECONNRESET where it goes
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = LineReader()
        self._ready: list[dict[str, str]] = []
        self._ask("init", "response_to_init", pmi_version=1, pmi_subversion=1)
        #: The name of the server's key space: of the job that we are, if a shell has started us.
        self.kvsname = self._ask("get_my_kvsname", "my_kvsname").get("kvsname", "")

    def put(self, key: str, value: str) -> None:
        """Give ``value`` to the others, after the next barrier."""
        self._ask("put", "put_result", kvsname=self.kvsname, key=key, value=value)

    def get(self, key: str) -> str | None:
        """What somebody has put; None if nobody has."""
        self._send("get", kvsname=self.kvsname, key=key)
        answer = self._receive("get_result")
        return answer.get("value") if answer.get("rc", "0") == "0" else None

    def barrier(self) -> None:
        """Wait for all."""
        self._ask("barrier_in", "barrier_out")

    def finalize(self) -> None:
        """End."""
        self._ask("finalize", "finalize_ack")
        self._sock.close()

    def _ask(self, command: str, answer: str, **fields: object) -> dict[str, str]:
        self._send(command, **fields)
        got = self._receive(answer)
        if got.get("rc", "0") != "0":
            raise rpc_error(errno.EPROTO, f"PMI {command} failed: {got.get('msg', got['rc'])}")
        return got

    def _send(self, command: str, **fields: object) -> None:
        self._sock.sendall(encode(command, **fields))

    def _receive(self, expected: str) -> dict[str, str]:
        while not self._ready:
            data = self._sock.recv(4096)
            if not data:
                raise rpc_error(errno.ECONNRESET, "the PMI server has gone")
            self._ready += [decode(line) for line in self._lines.feed(data)]
        answer = self._ready.pop(0)
        if answer.get("cmd") != expected:
            text = f"PMI server said {answer.get('cmd')}, not {expected}"
            raise rpc_error(errno.EPROTO, text)
        return answer


def from_environment(environ: Mapping[str, str]) -> tuple[PmiClient, int, int] | None:
    """The client, rank and size that PMI_FD, PMI_RANK and PMI_SIZE give; None without them."""
    if "PMI_FD" not in environ:
        return None
    try:
        fd, rank, size = (int(environ[name]) for name in ("PMI_FD", "PMI_RANK", "PMI_SIZE"))
    except (KeyError, ValueError):
        text = "PMI_FD is set, and PMI_RANK and PMI_SIZE are not numbers"
        raise rpc_error(errno.EINVAL, text) from None
    if not 0 <= rank < size:
        raise rpc_error(errno.EINVAL, f"PMI_RANK={rank} is not below PMI_SIZE={size}")
    try:
        sock = socket.socket(fileno=fd)
    except OSError as exc:
        raise rpc_error(exc.errno or errno.EINVAL, f"PMI_FD={fd}: {exc.strerror}") from None
    return PmiClient(sock), rank, size
