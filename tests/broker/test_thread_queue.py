"""Messages between two threads: none lost, none out of order, none left without a wake-up."""

import asyncio
import threading
from itertools import pairwise

import pytest

from fluxcore.broker.modhost.thread_link import CrossThreadQueue
from fluxcore.wire.message import Message, request


class Peer:
    """A thread with a loop, and the queue that leads to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.got: list[int] = []
        self.queue = CrossThreadQueue(self.loop, self._take)
        self.answer: CrossThreadQueue | None = None
        self.wanted = 0
        self.done = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def _take(self, msg: Message) -> None:
        self.got.append(msg.aux2)
        if self.answer is not None:
            self.answer.put(msg)
        if len(self.got) == self.wanted:
            self.done.set()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def peers():
    pair = [Peer(), Peer()]
    yield pair
    for peer in pair:
        peer.stop()


@pytest.mark.slow
def test_a_hundred_thousand_each_way(peers: list[Peer]) -> None:
    """What comes is sent back from the other thread, while more is put from here."""
    count = 100_000
    there, back = peers
    there.answer = back.queue
    there.wanted = back.wanted = count
    for n in range(count):
        there.queue.put(request("a", matchtag=n))
    assert there.done.wait(20)
    assert back.done.wait(20)
    assert there.got == back.got == list(range(count))
    assert len(there.queue) == len(back.queue) == 0


def test_one_at_a_time_each_wakes_the_other_side(peers: list[Peer]) -> None:
    there, back = peers
    there.answer = back.queue
    for n in range(1000):
        back.done.clear()
        back.wanted = n + 1
        there.queue.put(request("a", matchtag=n))
        assert back.done.wait(10), f"message {n} was left without a wake-up"
    assert back.got == list(range(1000))


def test_one_that_raises_holds_nothing_up() -> None:
    peer = Peer()
    faults: list[str] = []
    peer.loop.set_exception_handler(lambda _loop, context: faults.append(str(context["exception"])))
    take = peer.queue._take

    def fail_on_3(msg: Message) -> None:
        if msg.aux2 == 3:
            raise ValueError("three")
        take(msg)

    peer.queue._take = fail_on_3
    peer.wanted = 9
    for n in range(10):
        peer.queue.put(request("a", matchtag=n))
    assert peer.done.wait(10)
    peer.stop()
    assert peer.got == [n for n in range(10) if n != 3]
    assert faults == ["three"]


def test_a_flood_does_not_keep_the_loop_from_all_else() -> None:
    loop = asyncio.new_event_loop()
    turns: list[int] = []
    got: list[Message] = []
    queue = CrossThreadQueue(loop, got.append)
    for n in range(1000):
        queue.put(request("a", matchtag=n))

    def turn() -> None:
        turns.append(len(got))
        if len(got) == 1000:
            loop.stop()
        else:
            loop.call_soon(turn)

    loop.call_soon(turn)
    loop.run_forever()
    loop.close()
    assert [msg.aux2 for msg in got] == list(range(1000))
    assert max(b - a for a, b in pairwise(turns)) < 500


def test_what_is_sent_to_a_side_that_has_ended_is_dropped() -> None:
    peer = Peer()
    peer.stop()
    peer.queue.put(request("a"))
    peer.queue.put(request("b"))
    assert peer.got == []
