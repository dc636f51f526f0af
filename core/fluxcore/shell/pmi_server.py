"""The PMI-1 server without IO (RFC 13, CONTRACTS G1, G2): what brokers and MPI tasks are answered.

A job on several nodes has a server on each. What their clients put is exchanged when all clients
of all servers are in the barrier: a server says by ``on_barrier`` that its own are, and is given
what the others have by :meth:`PmiServer.exchanged`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from fluxcore.shell.pmi_wire import KEY_MAX, KVSNAME_MAX, VALUE_MAX, decode, encode
from fluxcore.wire.errors import WireError

_INVALID_KEY: Final = 4
_INVALID_KEY_LENGTH: Final = 6
_INVALID_VALUE_LENGTH: Final = 8

#: What nobody has ever asked for; answered with a failure as flux-core does.
_UNSUPPORTED: Final = {
    "publish_name": "publish_result",
    "unpublish_name": "unpublish_result",
    "lookup_name": "lookup_result",
}

#: Replies: each with the client that it is for.
Replies = list[tuple[int, bytes]]


class PmiServer:
    """Answers the lines of its clients: a client's number and a line in, replies out.

    ``size`` is the number of all clients, ``local`` of those here (by default all of them).
    What a client puts, those of the same server can get at once; the barrier is where all know
    that it is there. ``on_abort`` is told of the exit code and message of a client that gives up.
    """

    def __init__(
        self,
        size: int,
        kvsname: str,
        preput: Mapping[str, str],
        *,
        local: int | None = None,
        on_barrier: Callable[[dict[str, str]], None] | None = None,
        on_abort: Callable[[int, str], None] | None = None,
    ) -> None:
        self._size = size
        self._local = size if local is None else local
        self._kvsname = kvsname
        self._kvs = dict(preput)
        #: What has been put since the last barrier.
        self._put_here: dict[str, str] = {}
        self._waiting: set[int] = set()
        self._spawning: set[int] = set()
        self._on_barrier = on_barrier
        self._on_abort = on_abort
        self._commands: Final[dict[str, Callable[[int, dict[str, str]], Replies]]] = {
            "init": self._init,
            "get_maxes": self._get_maxes,
            "get_universe_size": self._get_universe_size,
            "get_appnum": self._get_appnum,
            "get_my_kvsname": self._get_my_kvsname,
            "put": self._put,
            "get": self._get,
            "barrier_in": self._barrier_in,
            "abort": self._abort,
            "finalize": self._finalize,
        }

    def line(self, client: int, line: bytes) -> Replies:
        """The replies that ``line`` of ``client`` leads to.

        :raises WireError: it is no line of the protocol; the client is to be closed
        """
        if client in self._spawning:
            return self._spawn_line(client, line)
        fields = decode(line)
        if "mcmd" in fields:
            self._spawning.add(client)
            return []
        name = fields["cmd"]
        if name in _UNSUPPORTED:
            text = "command not implemented"
            return [(client, encode(_UNSUPPORTED[name], rc=-1, msg=text))]
        command = self._commands.get(name)
        if command is None:
            raise WireError(f"PMI has no command {name}")
        return command(client, fields)

    def exchanged(self, values: Mapping[str, str]) -> Replies:
        """End the barrier, which all clients of all servers are in.

        ``values`` is what all of them have put since the last one.
        """
        self._kvs.update(values)
        self._put_here = {}
        waiting, self._waiting = self._waiting, set()
        return [(client, encode("barrier_out", rc=0)) for client in sorted(waiting)]

    # -- commands --------------------------------------------------------------------------

    def _init(self, client: int, fields: dict[str, str]) -> Replies:
        if fields.get("pmi_version") != "1":
            return [(client, encode("response_to_init", rc=-1))]
        reply = encode("response_to_init", rc=0, pmi_version=1, pmi_subversion=1)
        return [(client, reply)]

    def _get_maxes(self, client: int, _fields: dict[str, str]) -> Replies:
        reply = encode(
            "maxes", rc=0, kvsname_max=KVSNAME_MAX, keylen_max=KEY_MAX, vallen_max=VALUE_MAX
        )
        return [(client, reply)]

    def _get_universe_size(self, client: int, _fields: dict[str, str]) -> Replies:
        return [(client, encode("universe_size", rc=0, size=self._size))]

    def _get_appnum(self, client: int, _fields: dict[str, str]) -> Replies:
        return [(client, encode("appnum", rc=0, appnum=0))]

    def _get_my_kvsname(self, client: int, _fields: dict[str, str]) -> Replies:
        return [(client, encode("my_kvsname", rc=0, kvsname=self._kvsname))]

    def _put(self, client: int, fields: dict[str, str]) -> Replies:
        key, value = fields.get("key", ""), fields.get("value", "")
        result = 0
        if not 0 < len(key) < KEY_MAX:
            result = _INVALID_KEY_LENGTH
        elif len(value) >= VALUE_MAX:
            result = _INVALID_VALUE_LENGTH
        else:
            self._kvs[key] = self._put_here[key] = value
        return [(client, encode("put_result", rc=result))]

    def _get(self, client: int, fields: dict[str, str]) -> Replies:
        value = self._kvs.get(fields.get("key", ""))
        if value is None:
            return [(client, encode("get_result", rc=_INVALID_KEY))]
        return [(client, encode("get_result", rc=0, value=value))]

    def _barrier_in(self, client: int, _fields: dict[str, str]) -> Replies:
        self._waiting.add(client)
        if len(self._waiting) < self._local:
            return []
        if self._local == self._size or self._on_barrier is None:
            return self.exchanged(self._put_here)
        self._on_barrier(dict(self._put_here))
        return []

    def _abort(self, _client: int, fields: dict[str, str]) -> Replies:
        code = fields.get("exitcode", fields.get("exit_code", ""))
        if self._on_abort is not None:
            text = fields.get("error_msg", "aborted")
            self._on_abort(int(code) if code.isascii() and code.isdigit() else 1, text)
        return []

    def _finalize(self, client: int, _fields: dict[str, str]) -> Replies:
        return [(client, encode("finalize_ack", rc=0))]

    def _spawn_line(self, client: int, line: bytes) -> Replies:
        """A line between ``mcmd=spawn`` and ``endcmd``."""
        if line != b"endcmd":
            return []
        self._spawning.discard(client)
        return [(client, encode("spawn_result", rc=-1))]
