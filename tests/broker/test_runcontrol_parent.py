"""A follower follows its parent, however quickly that goes through its states."""

import asyncio

import pytest

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.runat import RunAt
from fluxcore.broker.runcontrol import Actions, RunControl
from fluxcore.broker.state import State
from fluxcore.handle.aio import Flux
from fluxcore.wire.message import Message, response


class Parent:
    """The parent's side of a follower's handle."""

    def __init__(self) -> None:
        self._monitor: Message | None = None
        self.flux = Flux(self._send, attrs={"rank": "1"})

    def _send(self, msg: Message) -> None:
        if msg.topic == "state-machine.monitor":
            self._monitor = msg
        elif msg.topic == "groups.join":
            self.flux.receive(response(msg))

    def enters(self, *states: State) -> None:
        """Tell the follower of states, all in one go."""
        assert self._monitor is not None
        for state in states:
            self.flux.receive(response(self._monitor, {"state": int(state)}))


async def nothing() -> None:
    """Do nothing."""


def follower(parent: Parent, seen: list[State], shut_down: asyncio.Event) -> RunControl:
    attrs = Attributes()
    attrs.set("broker.quorum", 2)
    actions = Actions(
        load_builtins=nothing,
        unload_builtins=nothing,
        sync_conf=nothing,
        go_online=lambda: None,
        entered=seen.append,
        stop_joining=lambda: None,
        shut_down=shut_down.set,
        say_goodbye=lambda: None,
        shutdown_finished=lambda: None,
        exit=lambda: None,
    )
    runat = RunAt(asyncio.get_running_loop(), lambda _level, _text: None, dict)
    return RunControl(parent.flux, attrs, runat, 1, 2, actions)


async def until(control: RunControl, state: State) -> None:
    while control.state is not state:
        await asyncio.sleep(0)


async def test_a_parent_that_runs_and_goes_down_at_once_is_no_failure() -> None:
    seen: list[State] = []
    shut_down = asyncio.Event()
    parent = Parent()
    control = follower(parent, seen, shut_down)
    control.start()
    await until(control, State.JOIN)
    control.parent_hello()
    await asyncio.sleep(0)
    parent.enters(State.QUORUM)
    await until(control, State.QUORUM)
    parent.enters(State.RUN, State.CLEANUP, State.SHUTDOWN)
    await shut_down.wait()
    assert State.RUN in seen
    assert control.exit_code == 0
    control.close()
    await parent.flux.close()


@pytest.mark.parametrize("late_in", [State.JOIN, State.QUORUM])
async def test_who_comes_late_goes_with_a_parent_on_its_way_down(late_in: State) -> None:
    """It is no failure: the instance has ended as it should."""
    seen: list[State] = []
    shut_down = asyncio.Event()
    parent = Parent()
    control = follower(parent, seen, shut_down)
    control.start()
    await until(control, State.JOIN)
    control.parent_hello()
    await asyncio.sleep(0)
    if late_in is State.QUORUM:
        parent.enters(State.RUN)
        await until(control, State.CONFIG_SYNC)
    parent.enters(State.CLEANUP, State.SHUTDOWN)
    await shut_down.wait()
    assert State.RUN not in seen
    assert control.exit_code == 0
    control.close()
    await parent.flux.close()


async def test_a_parent_that_is_lost_is_a_failure() -> None:
    seen: list[State] = []
    shut_down = asyncio.Event()
    parent = Parent()
    control = follower(parent, seen, shut_down)
    control.start()
    await until(control, State.JOIN)
    control.parent_lost()
    await shut_down.wait()
    assert control.exit_code == 1
    control.close()
    await parent.flux.close()
