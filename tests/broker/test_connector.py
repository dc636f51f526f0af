"""The local connector over real sockets: who comes in, what they send, and how they go (A1-A9)."""

import asyncio
import errno
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import Method
from fluxcore.wire import constants as c
from fluxcore.wire import rfc3
from fluxcore.wire.message import Message, control, request, response
from support.instance import NO_RC, LocalInstance, MakeLocal
from support.refused import refused
from support.rfc3_server import raw_socket

WriteModule = Callable[..., str]

KEEPER = """
    async def start(self):
        self.seen = []

    @method(".keep", role=ROLE_USER)
    def keep(self, req):
        self.seen.append(["keep", req.routes[0], req.userid, req.rolemask])
        return {"uuid": req.routes[0]}

    @method(".wait", role=ROLE_USER)
    def wait(self, req):
        return DEFERRED

    @method(".disconnect", role=ROLE_USER)
    def disconnect(self, req):
        self.seen.append(["disconnect", req.routes[0], req.userid, req.rolemask])

    @method(".get")
    def get(self, req):
        return {"seen": self.seen}
"""
PING = request("broker.ping", {"n": 1}, matchtag=1)


class Raw:
    """A client that speaks bytes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader = rfc3.Reader()
        self._got: list[Message] = []

    async def send(self, *what: bytes | Message) -> None:
        data = b"".join(rfc3.encode(w) if isinstance(w, Message) else w for w in what)
        await self._loop.sock_sendall(self.sock, data)

    async def to_the_end(self) -> list[Message]:
        """The messages up to the end of the connection."""
        while data := await self._loop.sock_recv(self.sock, 65536):
            self._got.extend(self._reader.feed(data))
        return self._got

    async def next(self) -> Message:
        while not self._got:
            self._got.extend(self._reader.feed(await self._loop.sock_recv(self.sock, 65536)))
        return self._got.pop(0)


@pytest.fixture
async def raw(one: LocalInstance):
    loop = asyncio.get_running_loop()
    client = Raw(await loop.run_in_executor(None, raw_socket, one.rundir / "local-0"))
    yield client
    client.sock.close()


# -- broken and odd bytes -------------------------------------------------------------------


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "other byte order": rfc3.MAGIC[::-1] + b"\0\0\0\x15" + b"\0" * 21,
    "longest length": rfc3.MAGIC + b"\xff\xff\xff\xff",
    "long length": rfc3.MAGIC + b"\x7f\xff\xff\xff" + b"x" * 100,
    "empty message": rfc3.MAGIC + b"\0\0\0\0",
    "no proto frame": rfc3.MAGIC + b"\0\0\0\x15" + b"\0" * 21,
    "frame cut short": rfc3.MAGIC + b"\0\0\0\x18\xffabc" + rfc3.encode_frames(control(0, 0)),
    "zeros": b"\0" * 4096,
    "noise": random.Random(1).randbytes(4096),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_broken_bytes_cost_their_sender_the_connection(
    flux: Flux, raw: Raw, garbage: bytes
) -> None:
    """CONTRACTS A1, A3: closed silently, after what came before is answered."""
    await raw.send(PING, garbage)
    (answer,) = await raw.to_the_end()
    assert answer.json["n"] == 1
    assert (await flux.rpc("broker.ping", {"n": 2})).json["n"] == 2


async def test_messages_of_no_use_are_ignored(flux: Flux, raw: Raw) -> None:
    await raw.send(
        control(0, 0),
        control(2, 0),
        Message(c.EVENT),
        Message(c.RESPONSE, "a.b", aux2=5),
        response(request("a.b", matchtag=1).pushed("nobody")),
        Message(c.REQUEST, "event.subscribe", aux2=3),
        PING,
    )
    assert (await raw.next()).errnum == errno.EPROTO
    assert (await raw.next()).json["n"] == 1


async def test_a_request_without_a_topic(raw: Raw) -> None:
    await raw.send(Message(c.REQUEST, None, aux1=c.NODEID_ANY, aux2=3))
    answer = await raw.next()
    assert (answer.errnum, answer.matchtag, answer.topic) == (errno.EPROTO, 3, None)


async def test_a_topic_too_long(raw: Raw) -> None:
    await raw.send(request("x" * 256, matchtag=3))
    answer = await raw.next()
    assert (answer.errnum, answer.text) == (errno.EINVAL, "topic is too long")


async def test_flags_and_tags_come_back(raw: Raw) -> None:
    flags = c.UPSTREAM | c.STREAMING | c.USER1
    await raw.send(request("nope.x", matchtag=0xFFFFFFFF, flags=flags))
    answer = await raw.next()
    assert (answer.flags, answer.matchtag, answer.routes) == (flags, 0xFFFFFFFF, ())


async def test_who_answers(flux: Flux, raw: Raw) -> None:
    """CONTRACTS A5: the broker's answers are the owner's, the connector's own are nobody's."""
    me = os.getuid()
    await raw.send(PING, request("event.subscribe", {"topic": "a"}, matchtag=2))
    answer = await raw.next()
    assert (answer.userid, answer.rolemask) == (me, c.ROLE_OWNER | c.ROLE_LOCAL)
    answer = await raw.next()
    assert (answer.userid, answer.rolemask) == (c.USERID_UNKNOWN, c.ROLE_OWNER)


async def test_a_client_in_a_hurry(raw: Raw) -> None:
    """A thousand requests in one write are answered in order."""
    await raw.send(*(request("broker.ping", {"n": n}, matchtag=n + 1) for n in range(1000)))
    answers = [await raw.next() for _ in range(1000)]
    assert [answer.json["n"] for answer in answers] == list(range(1000))


async def test_a_client_that_sends_byte_by_byte(raw: Raw) -> None:
    for byte in rfc3.encode(PING):
        await raw.send(bytes((byte,)))
    assert (await raw.next()).json["n"] == 1


async def test_a_big_payload_there_and_back(flux: Flux) -> None:
    pad = "x" * 5_000_000
    assert (await flux.rpc("broker.ping", {"pad": pad})).json["pad"] == pad


async def test_a_client_that_does_not_read_holds_nobody_up(
    one: LocalInstance, flux: Flux, raw: Raw
) -> None:
    pad = "x" * 100_000
    await raw.send(*(request("broker.ping", {"pad": pad}, matchtag=n + 1) for n in range(100)))
    for n in range(10):
        assert (await flux.rpc("broker.ping", {"n": n})).json["n"] == n


@pytest.mark.slow
async def test_such_a_client_does_not_hold_up_the_end(local_instance: MakeLocal) -> None:
    """The broker waits a second for it to read, and no longer."""
    async with local_instance(1, setattrs=NO_RC) as inst:
        loop = asyncio.get_running_loop()
        raw = Raw(await loop.run_in_executor(None, raw_socket, inst.rundir / "local-0"))
        pad = "x" * 100_000
        await raw.send(*(request("broker.ping", {"pad": pad}, matchtag=n) for n in range(1, 50)))
        # Another process keeps the connection open for as long as it is not killed.
        holder = subprocess.Popen(["sleep", "inf"], pass_fds=[raw.sock.fileno()])
        raw.sock.close()
    holder.kill()
    holder.wait()


# -- credentials (A4, A5) -------------------------------------------------------------------

AS_USER = """
import json, os, sys
from fluxcore.handle.blocking import Flux
os.setgid(65534); os.setuid(65534)
out = []
try:
    flux = Flux(sys.argv[1])
except OSError as exc:
    out.append([exc.errno, exc.strerror])
else:
    for topic, payload in json.loads(sys.argv[2]):
        try:
            out.append(flux.rpc(topic, payload).json if topic != "service.add"
                       else flux.rpc(topic, payload).errnum)
        except OSError as exc:
            out.append([exc.errno, exc.strerror])
print(json.dumps(out))
"""


async def as_user(inst: LocalInstance, *requests: tuple[str, Any], **env: str) -> list[Any]:
    """What user 65534 gets for its requests."""
    inst.rundir.chmod(0o711)

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", AS_USER, inst.uris[0], json.dumps(requests)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **env},
        )
        return done.stdout

    loop = asyncio.get_running_loop()
    answers: list[Any] = json.loads(await loop.run_in_executor(None, run))
    return answers


as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@as_root
@pytest.mark.slow
async def test_a_foreign_user_is_turned_away(
    one: LocalInstance, flux: Flux, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await as_user(one, ("broker.ping", {})) == [[errno.EPERM, "Operation not permitted"]]
    text = "connector-local.err[0]: client_authenticate: uid=65534 no assigned roles"
    assert text in capsys.readouterr().err
    assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1


@as_root
@pytest.mark.slow
async def test_a_guest_is_a_guest_whatever_it_says(local_instance: MakeLocal) -> None:
    allow = ["access.allow-guest-user=true"]
    async with local_instance(1, setattrs=NO_RC, conf_updates=allow) as inst:
        answers = await as_user(
            inst,
            ("broker.ping", {}),
            ("attr.set", {"name": "test.x", "value": "1"}),
            ("service.add", {"service": "65534-mine"}),
            ("service.add", {"service": "mine"}),
            FLUX_HANDLE_USERID="0",
            FLUX_HANDLE_ROLEMASK="1",
        )
    assert (answers[0]["userid"], answers[0]["rolemask"]) == (65534, c.ROLE_USER | c.ROLE_LOCAL)
    assert answers[1] == [errno.EPERM, "Request requires owner credentials"]
    assert answers[2] == 0
    assert answers[3] == [errno.EPERM, "Operation not permitted"]


@as_root
@pytest.mark.slow
async def test_access_can_be_changed_while_it_runs(one: LocalInstance, flux: Flux) -> None:
    await flux.rpc("config.load", {"access": {"allow-guest-user": True}})
    assert (await as_user(one, ("broker.ping", {})))[0]["userid"] == 65534
    await flux.rpc("config.load", {})
    assert await as_user(one, ("broker.ping", {})) == [[errno.EPERM, "Operation not permitted"]]
    error = await refused(flux.rpc("config.load", {"access": {"allow-guest-user": "yes"}}))
    assert error[0] == errno.EINVAL
    assert (await flux.rpc("config.get")).json == {}


async def test_the_log_says_who_may_come(one: LocalInstance, flux: Flux) -> None:
    await flux.rpc("log.clear")
    await flux.rpc("config.load", {"access": {"allow-guest-user": True}})
    lines = [msg.data or b"" async for msg in flux.stream("log.dmesg", {"follow": False})]
    said = [line.rpartition(b" - - ")[2] for line in lines if b" connector-local " in line]
    assert said == [b"allow-guest-user=true\0", b"allow-root-owner=false\0"]


async def test_hooks_for_tests(one: LocalInstance, flux: Flux) -> None:
    await flux.rpc("connector-local.debug", {"op": "set", "flags": 5})
    assert await refused(one.connect()) == (errno.EPERM, "Operation not permitted")
    async with await one.connect() as guest:
        assert (await guest.rpc("broker.ping", {})).json["rolemask"] == c.ROLE_USER
        error = await refused(guest.rpc("attr.set", {"name": "test.x", "value": "1"}))
        assert error == (errno.EPERM, "Request requires owner credentials")
    async with await one.connect() as owner:
        assert (await owner.rpc("broker.ping", {})).json["rolemask"] & c.ROLE_OWNER


async def test_the_socket_is_open_to_all(one: LocalInstance) -> None:
    assert (one.rundir / "local-0").stat().st_mode & 0o777 == 0o777


# -- going (A7) -----------------------------------------------------------------------------


async def test_services_are_told_once_of_a_client_that_goes(
    one: LocalInstance, flux: Flux, write_module: WriteModule
) -> None:
    path = write_module("keeper", KEEPER, "loop")
    await flux.rpc("module.load", {"path": path, "args": []})
    other = await one.connect()
    uuid = (await other.rpc("keeper.keep")).json["uuid"]
    await other.rpc("keeper.keep")
    waiting = other.rpc("keeper.wait")
    await other.close()
    assert waiting.ended
    seen: list[Any] = []
    while len(seen) < 3:
        seen = (await flux.rpc("keeper.get")).json["seen"]
    creds = [os.getuid(), c.ROLE_OWNER | c.ROLE_LOCAL]
    assert seen == [["keep", uuid, *creds], ["keep", uuid, *creds], ["disconnect", uuid, *creds]]
    await flux.rpc("module.remove", {"name": "keeper"})


async def test_a_client_that_only_notified_leaves_nothing_to_tell(
    one: LocalInstance, flux: Flux, write_module: WriteModule
) -> None:
    path = write_module("keeper", KEEPER, "loop")
    await flux.rpc("module.load", {"path": path, "args": []})
    async with await one.connect() as other:
        other.notify("keeper.keep")
        await other.rpc("attr.list")
    async with await one.connect() as other:
        await other.rpc("attr.list")
    assert [entry[0] for entry in (await flux.rpc("keeper.get")).json["seen"]] == ["keep"]
    await flux.rpc("module.remove", {"name": "keeper"})


async def test_what_a_client_asked_of_another_rank_ends_there_too(
    local_instance: MakeLocal, write_module: WriteModule
) -> None:
    path = write_module("keeper", KEEPER, "loop")
    async with local_instance(3, setattrs=NO_RC) as inst, await inst.connect(0) as flux:
        await flux.rpc("module.load", {"path": path, "args": []}, nodeid=2)
        other = await inst.connect(1)
        await other.rpc("keeper.keep", nodeid=2)
        await other.close()
        seen: list[Any] = []
        while len(seen) < 2:
            seen = (await flux.rpc("keeper.get", nodeid=2)).json["seen"]
        assert [entry[0] for entry in seen] == ["keep", "disconnect"]
        assert seen[0][1] == seen[1][1]
        await flux.rpc("module.remove", {"name": "keeper"}, nodeid=2)


async def test_an_answer_to_a_client_that_has_gone_is_dropped(
    one: LocalInstance, flux: Flux
) -> None:
    kept = flux.loop.create_future()
    flux.core.add_method(
        "late.answer", Method(lambda r: kept.set_result(r) or _later(), c.ROLE_ALL)
    )
    await flux.add_service("late")
    other = await one.connect()
    other.rpc("late.answer")
    req = await kept
    await other.close()
    flux.respond(req, {"too": "late"})
    assert (await flux.rpc("broker.ping", {"n": 1})).json["n"] == 1


def _later() -> object:
    from fluxcore.handle.service import DEFERRED

    return DEFERRED


@pytest.mark.slow
async def test_a_thousand_clients_come_and_go(one: LocalInstance, flux: Flux) -> None:
    """Nothing of them is left: no descriptor (the instance checks), no subscription, no service."""
    got: list[int] = []

    async def client(n: int) -> None:
        async with await one.connect() as other:
            await other.subscribe(f"c.{n}.", lambda _msg: got.append(n))
            if n % 10 == 0:
                await other.add_service(f"service{n}")
            await other.rpc("event.publish", {"topic": f"c.{n}.x", "flags": 0})

    for start in range(0, 1000, 100):
        await asyncio.gather(*(client(n) for n in range(start, start + 100)))
    assert sorted(got) == list(range(1000))
    stats = (await flux.rpc("connector-local.stats-get")).json
    assert stats["server"]["connects"] >= 1001
    (me,) = stats["server"]["clients"]
    assert (me["userid"], me["pid"], me["rxbacklog"]) == (os.getuid(), os.getpid(), 0)
    assert (stats["allow_guest_user"], stats["allow_root_owner"]) == (False, False)
    assert await refused(flux.rpc("event.unsubscribe", {"topic": "c.0."}))
    await flux.add_service("service0")
