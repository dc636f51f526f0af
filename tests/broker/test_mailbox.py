"""The mailbox: a module's handlers never run inside each other, and messages keep their order."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.broker.mailbox import Mailbox
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event, request, response


class Loop:
    """The next loop turn, when the test says so."""

    def __init__(self) -> None:
        self._soon: deque[Callable[[], None]] = deque()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def turn(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    @property
    def idle(self) -> bool:
        return not self._soon


class Module:
    """A module behind a mailbox; ``handlers`` say what it does with a topic."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.box = Mailbox(self.loop)
        self.box.receive = self._receive
        self.handlers: dict[str, Callable[[], None]] = {}
        self.log: list[str] = []
        self._inside = False

    def _receive(self, msg: Message) -> None:
        assert not self._inside, "a handler was entered while another ran"
        self._inside = True
        self.log.append(f"{msg.topic}")
        try:
            self.handlers.get(msg.topic or "", lambda: None)()
        finally:
            self._inside = False


def answering(module: Module, *answers: Message) -> Callable[[Message], None]:
    """A route to another module that answers at once."""

    def route(_msg: Message) -> None:
        for answer in answers:
            module.box.deliver(answer)

    return route


RSP = response(request("rsp"))


def test_a_message_to_an_idle_module_is_handled_at_once() -> None:
    module = Module()
    module.box.deliver(request("a"))
    assert module.log == ["a"]
    assert module.loop.idle


def test_an_answer_that_comes_while_a_handler_runs_waits_for_its_end() -> None:
    module = Module()

    def handler() -> None:
        module.box.send(answering(module, RSP), request("out"))
        module.log.append("handler ends")

    module.handlers["a"] = handler
    module.box.deliver(request("a"))
    assert module.log == ["a", "handler ends", "rsp"]
    assert module.loop.idle


def test_a_coroutine_gets_its_answer_before_its_send_returns() -> None:
    module = Module()
    module.box.send(answering(module, RSP), request("out"))
    assert module.log == ["rsp"]


def test_what_else_a_coroutines_send_provokes_waits_for_the_next_turn() -> None:
    module = Module()
    module.box.send(answering(module, request("back"), RSP, event("e")), request("out"))
    assert module.log == [], "the response is behind the request, and order is kept"
    module.loop.turn()
    assert module.log == ["back", "rsp", "e"]


def test_what_comes_meanwhile_stays_behind_what_waits() -> None:
    module = Module()
    module.box.send(answering(module, request("first")), request("out"))
    module.box.deliver(request("second"))
    assert module.log == []
    assert len(module.box) == 2
    module.loop.turn()
    assert module.log == ["first", "second"]
    assert module.loop.idle


def test_a_handler_that_raises_leaves_the_rest_in_order() -> None:
    module = Module()

    def handler() -> None:
        module.box.deliver(request("b"))
        module.box.deliver(request("c"))
        raise ValueError("oops")

    module.handlers["a"] = handler
    with pytest.raises(ValueError, match="oops"):
        module.box.deliver(request("a"))
    module.loop.turn()
    assert module.log == ["a", "b", "c"], "they need no further message to be handled"


def test_a_route_that_raises_leaves_the_module_usable() -> None:
    module = Module()

    def route(_msg: Message) -> None:
        module.box.deliver(request("b"))
        raise ValueError("oops")

    with pytest.raises(ValueError, match="oops"):
        module.box.send(route, request("out"))
    module.loop.turn()
    assert module.log == ["b"]
    module.box.deliver(request("c"))
    assert module.log == ["b", "c"]


# -- property: whatever is sent and answered by whatever ------------------------------------


@dataclass
class Step:
    """A message, and what its handler sends; each thing sent is answered with more messages."""

    kind: int
    name: int = 0
    sends: list[list["Step"]] = field(default_factory=list)


def steps(depth: int) -> st.SearchStrategy[Step]:
    kinds = st.sampled_from([c.REQUEST, c.RESPONSE, c.EVENT])
    if depth == 0:
        return st.builds(Step, kinds)
    inner = st.lists(st.lists(steps(depth - 1), max_size=2), max_size=2)
    return st.builds(Step, kinds, sends=inner)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), steps(2)), max_size=4), st.data())
def test_never_entered_twice_and_always_in_order(
    program: list[tuple[bool, Step]], data: st.DataObject
) -> None:
    """Messages are handled in the order in which they were delivered, one at a time, and all."""
    module = Module()
    delivered: list[str] = []

    def deliver(step: Step) -> None:
        step.name = len(delivered)
        topic = f"m{step.name}"
        delivered.append(topic)
        module.handlers[topic] = lambda: [send(answers) for answers in step.sends] and None
        module.box.deliver(Message(step.kind, topic))

    def send(answers: list[Step]) -> None:
        module.box.send(lambda _msg: [deliver(answer) for answer in answers] and None, request("o"))

    for from_coroutine, step in program:
        if from_coroutine:
            send([step])
        else:
            deliver(step)
        if data.draw(st.booleans()):
            module.loop.turn()
    while not module.loop.idle:
        module.loop.turn()
    assert module.log == delivered
    assert len(module.box) == 0
