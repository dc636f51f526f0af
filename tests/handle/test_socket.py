"""Connecting to a broker's socket (CONTRACTS A4)."""

import asyncio
import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from fluxcore.handle import socket as handle_socket
from fluxcore.handle.aio import connect
from fluxcore.handle.peercred import peer_userid
from fluxcore.handle.socket import open_socket
from support.leaks import descriptors
from support.rfc3_server import serving, serving_in_thread

NO_RETRY = {"FLUX_LOCAL_CONNECTOR_RETRY_COUNT": "0"}


def listener(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen()
    return sock


def test_a_socket_that_is_not_there(short_path: Path) -> None:
    path = short_path / "local-0"
    with pytest.raises(FileNotFoundError) as caught:
        open_socket(str(path))
    assert caught.value.strerror == f"broker socket {path} was not found"


def test_a_path_that_no_socket_can_have() -> None:
    with pytest.raises(OSError, match="too long") as caught:
        open_socket("/tmp/" + "x" * 200)
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("errnum", [errno.EPERM, errno.EAGAIN])
def test_a_server_says_why_it_does_not_let_us_in(short_path: Path, errnum: int) -> None:
    with (
        serving_in_thread(short_path, greeting=bytes((errnum,))) as server,
        pytest.raises(OSError) as caught,
    ):
        open_socket(str(server.path))
    assert (caught.value.errno, caught.value.strerror) == (errnum, os.strerror(errnum))


def test_a_server_that_hangs_up(short_path: Path) -> None:
    with listener(short_path / "s") as sock:

        def hang_up() -> None:
            peer, _ = sock.accept()
            peer.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(ConnectionResetError):
            open_socket(str(short_path / "s"))
        thread.join()


def test_a_server_that_does_not_answer(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle_socket, "_AUTH_TIMEOUT", 0.01)
    with listener(short_path / "s"), pytest.raises(TimeoutError, match="does not answer") as caught:
        open_socket(str(short_path / "s"))
    assert caught.value.errno == errno.ETIMEDOUT


def test_a_refused_connection_is_tried_again(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_path / "s"
    listener(path).close()  # the file stays, and nobody listens
    delays: list[float] = []
    monkeypatch.setattr(handle_socket.time, "sleep", delays.append)
    with pytest.raises(ConnectionRefusedError):
        open_socket(str(path), {})
    assert delays == [0.016, 0.032, 0.064, 0.128, 0.256]
    delays.clear()
    with pytest.raises(ConnectionRefusedError):
        open_socket(str(path), {"FLUX_LOCAL_CONNECTOR_RETRY_COUNT": "2"})
    assert len(delays) == 2
    with pytest.raises(ConnectionRefusedError):
        open_socket(str(path), NO_RETRY)
    assert len(delays) == 2


def test_a_broker_that_comes_up_meanwhile_is_found(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_path / "s"
    listener(path).close()
    opened: list[socket.socket] = []

    def come_up(_delay: float) -> None:
        path.unlink()
        opened.append(listener(path))
        threading.Thread(target=greet, args=(opened[0],)).start()

    def greet(sock: socket.socket) -> None:
        peer, _ = sock.accept()
        with peer:
            peer.sendall(b"\0")

    monkeypatch.setattr(handle_socket.time, "sleep", come_up)
    open_socket(str(path), {}).close()
    opened[0].close()


async def test_a_caller_that_gives_up_leaves_no_socket(short_path: Path) -> None:
    before = descriptors()
    with listener(short_path / "s") as sock:
        attempt = asyncio.ensure_future(connect(f"local://{short_path}/s"))
        loop = asyncio.get_running_loop()
        peer, _ = await loop.run_in_executor(None, sock.accept)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        peer.sendall(b"\0")
        assert await loop.run_in_executor(None, peer.recv, 1) == b"", "it has been closed"
        peer.close()
    left = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
    assert not [what for what in left.values() if "socket" in what], left


async def test_the_peer_of_a_socket_is_known(short_path: Path) -> None:
    async with serving(short_path) as server, await connect(server.uri):
        transport = server.connections[0]._transport
        assert transport is not None
        assert peer_userid(transport.get_extra_info("socket")) == os.getuid()
