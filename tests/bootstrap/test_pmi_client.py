"""The PMI-1 client of a broker, against a server that may say anything (RFC 13, G1)."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fluxcore.bootstrap.pmi_client import PmiClient, from_environment
from fluxcore.shell.pmi_server import PmiServer
from fluxcore.shell.pmi_wire import LineReader


@contextmanager
def serving(server: PmiServer, clients: int) -> Iterator[list[socket.socket]]:
    """The clients' ends of sockets that ``server`` answers on, each in a thread."""
    pairs = [socket.socketpair() for _ in range(clients)]
    lock = threading.Lock()

    def serve(client: int) -> None:
        lines = LineReader()
        while data := pairs[client][0].recv(4096):
            with lock:
                for line in lines.feed(data):
                    for to, reply in server.line(client, line):
                        pairs[to][0].sendall(reply)

    threads = [threading.Thread(target=serve, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    yield [theirs for _ours, theirs in pairs]
    for _ours, theirs in pairs:
        theirs.close()
    for thread in threads:
        thread.join()
    for ours, _theirs in pairs:
        ours.close()


def in_threads(*work: object) -> list[object]:
    results: list[object] = [None] * len(work)

    def run(n: int) -> None:
        results[n] = work[n]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def test_what_is_put_is_there_for_all_after_the_barrier() -> None:
    def exchange(sock: socket.socket, rank: int) -> list[str | None]:
        client = PmiClient(sock)
        client.put(str(rank), f"card of {rank} with = and spaces")
        client.barrier()
        got = [client.get(key) for key in ("0", "1", "2", "preput", "nosuch")]
        client.barrier()
        client.finalize()
        return got

    with serving(PmiServer(3, "f1", {"preput": "yes"}), 3) as socks:
        results = in_threads(*(lambda s=s, n=n: exchange(s, n) for n, s in enumerate(socks)))
    cards = [f"card of {n} with = and spaces" for n in range(3)]
    assert results == [[*cards, "yes", None]] * 3


class Script:
    """A server that says what it was told to, whatever is asked."""

    def __init__(self, *says: bytes) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.sendall(b"".join(says))
        self._ours.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._ours.close()
        self.theirs.close()


INIT = b"cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1\n"
NAME = b"cmd=my_kvsname rc=0 kvsname=k\n"


@pytest.mark.parametrize(
    ("says", "errnum", "text"),
    [
        ([], errno.ECONNRESET, "the PMI server has gone"),
        ([INIT], errno.ECONNRESET, "the PMI server has gone"),
        ([b"cmd=response_to_init rc=-1\n"], errno.EPROTO, "PMI init failed: -1"),
        ([INIT, b"cmd=maxes\n"], errno.EPROTO, "PMI server said maxes, not my_kvsname"),
        ([b"garbage\n"], errno.EPROTO, "PMI line has a word without '=': garbage"),
        ([b"\xff\n"], errno.EPROTO, "PMI line is no text"),
        ([b"x" * 5000], errno.EPROTO, "PMI line is too long"),
    ],
)
def test_a_server_that_makes_no_sense(says: list[bytes], errnum: int, text: str) -> None:
    script = Script(*says)
    with pytest.raises(OSError, match=text) as caught:
        PmiClient(script.theirs)
    assert caught.value.errno == errnum
    script.close()


def test_a_put_that_is_refused() -> None:
    script = Script(INIT, NAME, b"cmd=put_result rc=-1 msg=full\n")
    client = PmiClient(script.theirs)
    with pytest.raises(OSError, match="PMI put failed: full"):
        client.put("a", "b")
    script.close()


def test_lines_that_come_in_pieces_or_together() -> None:
    script = Script(INIT + NAME + b"cmd=get_result rc=0 value=a b\ncmd=get_result rc=-1\n")
    client = PmiClient(script.theirs)
    assert client.get("x") == "a b"
    assert client.get("y") is None
    script.close()


def test_a_value_too_long_for_the_protocol() -> None:
    with serving(PmiServer(1, "f1", {}), 1) as (sock,):
        client = PmiClient(sock)
        with pytest.raises(OSError, match="PMI put failed"):
            client.put("a", "x" * 2000)


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"PMI_FD": "x", "PMI_RANK": "0", "PMI_SIZE": "1"}, "are not numbers"),
        ({"PMI_FD": "3"}, "are not numbers"),
        ({"PMI_FD": "3", "PMI_RANK": "2", "PMI_SIZE": "2"}, "PMI_RANK=2 is not below PMI_SIZE=2"),
        ({"PMI_FD": "3", "PMI_RANK": "-1", "PMI_SIZE": "2"}, "PMI_RANK=-1 is not below"),
        (
            {"PMI_FD": "999999", "PMI_RANK": "0", "PMI_SIZE": "1"},
            "PMI_FD=999999: Bad file descriptor",
        ),
    ],
)
def test_an_environment_that_makes_no_sense(environ: dict[str, str], text: str) -> None:
    with pytest.raises(OSError, match=text):
        from_environment(environ)


def test_no_pmi() -> None:
    assert from_environment({"PMI_RANK": "0"}) is None
