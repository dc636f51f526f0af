"""Running a broker in this process, from its options to its exit code."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import uuid
from dataclasses import dataclass
from typing import Final

from fluxcore.bootstrap.boot import boot_methods, boot_pmi, boot_single
from fluxcore.bootstrap.pmi_client import from_environment
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.broker import Broker, prepare
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.loop import new_event_loop

#: One busy thread must not hold the loop up for Python's default of 5 ms.
_SWITCH_INTERVAL: Final = 500e-6
#: New containers between two looks for cyclic garbage, of which messages leave none.
_GC_THRESHOLD: Final = 20_000
#: Seconds that a broker may take to end when who started it is gone.
_ORPHAN_TIMEOUT: Final = 60


@dataclass(frozen=True, slots=True)
class Lifeline:
    """How a broker learns that who started it is gone: ``fd`` comes to its end of file.

    Nobody but the brokers can remove ``rundir`` then: the last of them does.
    """

    fd: int
    rundir: str


def run_broker(options: BrokerOptions, lifeline: Lifeline | None = None) -> int:
    """Boot a broker, by PMI if the environment has it, and run it to its end; the exit code."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(_GC_THRESHOLD)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            return runner.run(_run(options, lifeline))
        except OSError as exc:
            print(f"flux-broker: {exc.strerror or exc}", file=sys.stderr)
            return 1


async def _run(options: BrokerOptions, lifeline: Lifeline | None) -> int:
    attrs, rundir, conf = prepare(options, socket.gethostname())
    try:
        broker_uuid = str(uuid.uuid4())
        boot = _boot(attrs, broker_uuid)
        broker = Broker(attrs, boot, options, rundir, conf, broker_uuid)
    except BaseException:
        rundir.close()
        raise
    orphaned = None if lifeline is None else _hold_on_to(lifeline.fd)
    try:
        return await broker.run()
    finally:
        if lifeline is not None and orphaned is not None and orphaned.is_set():
            _remove_if_empty(lifeline.rundir)


def _boot(attrs: Attributes, broker_uuid: str) -> BootInfo:
    """Find our place. This blocks, and nothing else runs yet.

    :raises OSError: none of the methods that may be tried can be, or the one that can fails
    """
    methods = boot_methods(attrs.get("broker.boot-method"), os.environ)
    found = from_environment(os.environ) if "simple" in methods else None
    for name in ("PMI_FD", "PMI_RANK", "PMI_SIZE"):
        os.environ.pop(name, None)
    if found is not None:
        pmi, rank, size = found
        return boot_pmi(attrs, broker_uuid, pmi, rank, size)
    if "single" not in methods:
        raise rpc_error(errno.ENOENT, "bootstrap: PMI_FD not found in environ")
    return boot_single(attrs)


def _hold_on_to(fd: int) -> asyncio.Event:
    """Go down, as by a signal, when who started us is gone; what is returned is set then."""
    loop = asyncio.get_running_loop()
    orphaned = asyncio.Event()

    def ended() -> None:
        loop.remove_reader(fd)
        orphaned.set()
        # Nobody is left to end a broker that does not end: let the kernel do it.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_ORPHAN_TIMEOUT)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(fd, ended)
    return orphaned


def _remove_if_empty(folder: str) -> None:
    with contextlib.suppress(OSError):  # others still use it, or have removed it
        os.rmdir(folder)
