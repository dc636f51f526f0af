"""Running a broker in this process, from its options to its exit code."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from typing import Final

from fluxcore.bootstrap.boot import boot_pmi, boot_single
from fluxcore.bootstrap.pmi_client import from_environment
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.broker import Broker, prepare
from fluxcore.broker.options import BootInfo, BrokerOptions

#: One busy thread must not hold the loop up for Python's default of 5 ms.
_SWITCH_INTERVAL: Final = 50e-6


def run_broker(options: BrokerOptions, lifeline: int | None = None) -> int:
    """Boot a broker, by PMI if the environment has it, and run it to its end; the exit code.

    :param lifeline: a descriptor whose end of file says that who started us is gone
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            return runner.run(_run(options, lifeline))
        except OSError as exc:
            print(f"flux-broker: {exc.strerror or exc}", file=sys.stderr)
            return 1


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop's where it is installed, else of asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _run(options: BrokerOptions, lifeline: int | None) -> int:
    attrs, rundir, conf = prepare(options, socket.gethostname())
    try:
        broker_uuid = str(uuid.uuid4())
        boot = _boot(attrs, broker_uuid)
        broker = Broker(attrs, boot, options, rundir, conf, broker_uuid)
    except BaseException:
        rundir.close()
        raise
    if lifeline is not None:
        _hold_on_to(lifeline)
    return await broker.run()


def _boot(attrs: Attributes, broker_uuid: str) -> BootInfo:
    """Find our place. This blocks, and nothing else runs yet."""
    found = from_environment(os.environ)
    for name in ("PMI_FD", "PMI_RANK", "PMI_SIZE"):
        os.environ.pop(name, None)
    if found is None:
        return boot_single(attrs)
    pmi, rank, size = found
    return boot_pmi(attrs, broker_uuid, pmi, rank, size)


def _hold_on_to(lifeline: int) -> None:
    """Go down, as by a signal, when who started us is gone."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(lifeline)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(lifeline, ended)
