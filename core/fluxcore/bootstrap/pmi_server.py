"""The PMI-1 server without IO (RFC 13, CONTRACTS G1): what ``flux start`` answers its brokers."""

from collections.abc import Callable, Mapping
from typing import Final

from fluxcore.bootstrap.pmi_wire import KEY_MAX, KVSNAME_MAX, VALUE_MAX, decode, encode

_Reply = list[tuple[int, bytes]]


class PmiServer:
    """Answers the lines of ``size`` clients: a client's number and a line in, replies out.

    What a client puts, the others can get at once; the barrier is where they know it is there.
    """

    def __init__(self, size: int, kvsname: str, preput: Mapping[str, str]) -> None:
        self._size = size
        self._kvsname = kvsname
        self._kvs = dict(preput)
        self._waiting: set[int] = set()
        self._commands: Final[dict[str, Callable[[int, dict[str, str]], _Reply]]] = {
            "init": self._init,
            "get_maxes": self._get_maxes,
            "get_universe_size": self._get_universe_size,
            "get_appnum": self._get_appnum,
            "get_my_kvsname": self._get_my_kvsname,
            "put": self._put,
            "get": self._get,
            "barrier_in": self._barrier_in,
            "finalize": self._finalize,
        }

    def line(self, client: int, line: bytes) -> _Reply:
        """The replies that ``line`` of ``client`` leads to, each with whom it is for.

        :raises WireError: it is no line of the protocol; the client is to be closed
        """
        fields = decode(line)
        command = self._commands.get(fields.get("cmd", ""))
        if command is None:
            name = fields.get("cmd", fields.get("mcmd", ""))
            return [(client, encode(f"{name}_result", rc=-1, msg="unsupported"))]
        return command(client, fields)

    def _init(self, client: int, fields: dict[str, str]) -> _Reply:
        good = fields.get("pmi_version") == "1"
        reply = encode("response_to_init", rc=0 if good else -1, pmi_version=1, pmi_subversion=1)
        return [(client, reply)]

    def _get_maxes(self, client: int, _fields: dict[str, str]) -> _Reply:
        reply = encode(
            "maxes", rc=0, kvsname_max=KVSNAME_MAX, keylen_max=KEY_MAX, vallen_max=VALUE_MAX
        )
        return [(client, reply)]

    def _get_universe_size(self, client: int, _fields: dict[str, str]) -> _Reply:
        return [(client, encode("universe_size", rc=0, size=self._size))]

    def _get_appnum(self, client: int, _fields: dict[str, str]) -> _Reply:
        return [(client, encode("appnum", rc=0, appnum=0))]

    def _get_my_kvsname(self, client: int, _fields: dict[str, str]) -> _Reply:
        return [(client, encode("my_kvsname", rc=0, kvsname=self._kvsname))]

    def _put(self, client: int, fields: dict[str, str]) -> _Reply:
        key, value = fields.get("key", ""), fields.get("value", "")
        good = 0 < len(key) <= KEY_MAX and len(value) <= VALUE_MAX
        if good:
            self._kvs[key] = value
        return [(client, encode("put_result", rc=0 if good else -1))]

    def _get(self, client: int, fields: dict[str, str]) -> _Reply:
        value = self._kvs.get(fields.get("key", ""))
        if value is None:
            return [(client, encode("get_result", rc=-1))]
        return [(client, encode("get_result", rc=0, value=value))]

    def _barrier_in(self, client: int, _fields: dict[str, str]) -> _Reply:
        self._waiting.add(client)
        if len(self._waiting) < self._size:
            return []
        waiting, self._waiting = self._waiting, set()
        return [(rank, encode("barrier_out", rc=0)) for rank in sorted(waiting)]

    def _finalize(self, client: int, _fields: dict[str, str]) -> _Reply:
        return [(client, encode("finalize_ack", rc=0))]
