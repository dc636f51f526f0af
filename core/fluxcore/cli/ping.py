"""``flux ping``: round trips to a service (CONTRACTS A25, A45)."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.wire.constants import NODEID_ANY, UPSTREAM
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str

_SUFFIXES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Target:
    """Whom to ping: the service, at which rank, and how the user called that.

    ``flags`` are UPSTREAM if the request is for the next broker up the tree.
    """

    __slots__ = ("flags", "label", "nodeid", "service", "suffix")

    def __init__(
        self, service: str, label: str, nodeid: int, flags: int = 0, suffix: str = ""
    ) -> None:
        self.service = service
        self.label = label
        self.nodeid = nodeid
        self.flags = flags
        self.suffix = suffix

    @property
    def header(self) -> str:
        """The first line of the output."""
        return f"flux-ping {self.label}!{self.service}{self.suffix}"

    @property
    def title(self) -> str:
        """The topic, behind the rank if one was named, as errors have it."""
        if self.flags & UPSTREAM:
            return f"upstream!{self.service}.ping"
        rank = "" if self.nodeid == NODEID_ANY else f"{self.nodeid}!"
        return f"{rank}{self.service}.ping"


def parse_target(text: str, hosts: Sequence[str]) -> Target:
    """The target that ``[RANK!]SERVICE``, a rank or a host name stands for.

    :param hosts: the instance's hosts in the order of their ranks
    :raises CommandError: what is before ``!`` is neither rank nor host
    """
    node, bang, service = text.partition("!")
    found = _parse_node(node, hosts, service if bang else "broker")
    if found is not None:
        return found
    if bang:
        raise CommandError(f"invalid nodeid/host: '{node}'")
    return Target(node, "any", NODEID_ANY)


def _parse_node(node: str, hosts: Sequence[str], service: str) -> Target | None:
    if node == "any":
        return Target(service, "any", NODEID_ANY)
    if node == "upstream":
        return Target(service, "upstream", NODEID_ANY, UPSTREAM)
    if node in hosts:
        at = hosts.index(node)
        return Target(service, node, at, suffix=f" (rank {at})")
    if node.isascii() and node.isdigit():
        return Target(service, str(int(node)), int(node))
    return None


def format_reply(reply: dict[str, Any], topic: str, ms: float, *, userid: bool) -> str:
    """The line for one answer; ``ms`` is how long it took."""
    creds = ""
    if userid:
        creds = f" userid={need_int(reply, 'userid')} rolemask={need_int(reply, 'rolemask'):#x}"
    return (
        f"{need_int(reply, 'rank')}!{topic} pad={len(need_str(reply, 'pad'))}{creds}"
        f" seq={need_int(reply, 'seq')} time={ms:0.3f} ms ({need_str(reply, 'route')})"
    )


def parse_size(text: str) -> int:
    """A number of bytes, perhaps with a suffix: ``64``, ``4K``, ``1M``.

    :raises ValueError: it is none
    """
    digits = text.rstrip("kKmMgG")
    suffix = text[len(digits) :].lower()
    if not (digits.isascii() and digits.isdigit()) or suffix not in _SUFFIXES:
        raise ValueError(text)
    return int(digits) * _SUFFIXES[suffix]


class _Pinger:
    """Sends pings and prints the answers."""

    def __init__(self, flux: Flux, target: Target, pad: str, *, userid: bool) -> None:
        self._flux = flux
        self._target = target
        self._pad = pad
        self._userid = userid
        self._failed: CommandError | None = None
        self._seq = 0
        self.waiting = 0

    def send(self) -> None:
        now = time.monotonic_ns()
        payload = {
            "seq": self._seq,
            "time.tv_sec": now // 10**9,
            "time.tv_nsec": now % 10**9,
            "pad": self._pad,
        }
        target = self._target
        topic = f"{target.service}.ping"
        self._seq += 1
        self.waiting += 1
        pending = self._flux.start(topic, payload, nodeid=target.nodeid, flags=target.flags)
        pending.then(self._receive)

    def _receive(self, msg: Message) -> None:
        self.waiting -= 1
        if msg.errnum:
            text = f"{self._target.title}: {plain_text(OSError(msg.errnum, ''))}"
            self._failed = self._failed or CommandError(text)
            return
        reply = msg.json
        sent = need_int(reply, "time.tv_sec") * 10**9 + need_int(reply, "time.tv_nsec")
        if need_str(reply, "pad") != self._pad:
            self._failed = CommandError(f"{self._target.title}: padding contents invalid")
            return
        ms = (time.monotonic_ns() - sent) / 1e6
        print(format_reply(reply, msg.topic or "", ms, userid=self._userid), flush=True)

    def receive(self, seconds: float | None) -> None:
        """Take answers for ``seconds``; without them, until there is one for each ping."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._failed is None and (self.waiting or deadline is not None):
            left = None if deadline is None else deadline - time.monotonic()
            if not self._flux.process(left):
                break
        if self._failed is not None:
            raise self._failed


def ping(parsed: Parsed) -> None:
    """Ping a service again and again, or ``count`` times."""
    text, pad = _arguments(parsed)
    interval = parsed.duration("interval", 1.0)
    count = parsed.integer("count", 0)
    if count < 0:
        raise CommandError("count must be >= 0")
    if "batch" in parsed and not count:
        raise CommandError("--batch should only be used with --count")
    with connect() as flux:
        target = parse_target(text, _hosts(flux))
        if target.flags:
            # RFC 3: such a request names the rank that it must not stay on.
            target.nodeid = int(flux.attr("rank"))
        print(target.header, flush=True)
        pinger = _Pinger(flux, target, "p" * pad, userid="userid" in parsed)
        for last in _rounds(count):
            pinger.send()
            if "batch" in parsed:
                time.sleep(interval)
            elif not last:
                pinger.receive(interval)
        pinger.receive(None)


def _rounds(count: int) -> Iterator[bool]:
    """True for the last ping; without a count there is none."""
    done = 0
    while not count or done < count:
        done += 1
        yield done == count


def _arguments(parsed: Parsed) -> tuple[str, int]:
    if len(parsed.args) != 1:
        raise UsageError
    text = parsed.args[0]
    rank = parsed.text("rank")
    if rank is not None:
        if "!" in text:
            raise CommandError("--rank and TARGET both try to specify a nodeid")
        text = f"{rank}!{text}"
    size = parsed.text("pad") or "0"
    try:
        return text, parse_size(size)
    except ValueError:
        text = f"invalid argument for option 'pad': {size}: Invalid argument"
        raise BadOptionError(text) from None


def _hosts(flux: Flux) -> Sequence[str]:
    from fluxcore.resource.hostlist import Hostlist

    return list(Hostlist.decode(flux.attr("hostlist")))


PING: Final = Command(
    "flux-ping",
    "[OPTIONS] TARGET",
    "",
    ping,
    [
        Option("rank", "r", "RANK", "ping the service on this rank"),
        Option("pad", "p", "N", "put N more bytes into each request"),
        Option("interval", "i", "FSD", "the time between requests (default 1s)"),
        Option("count", "c", "N", "stop after N requests"),
        Option("batch", "b", doc="send all requests before taking the first answer"),
        Option("userid", "u", doc="show userid and rolemask too"),
    ],
)
