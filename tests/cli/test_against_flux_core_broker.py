"""Our commands about brokers beside flux-core's: the same output, errors and code."""

import re

import pytest

from support.beside_flux_core import compare
from support.flux_core_instance import FluxCoreInstance

pytestmark = [pytest.mark.interop, pytest.mark.slow]

_ROUTE = re.compile(r"time=[\d.]+ ms \([0-9a-f!]+\)")
_CLOCK = re.compile(r"^ \d\d:\d\d:\d\d run [\d.]+\w+,")
#: Idle, Sendq and Recvq of a module.
_NUMBERS = re.compile(r" +\d+(?=  [A-Z] )|(?<=  [A-Z]) +\d+ +\d+")
_SEQUENCE = re.compile(r"seq=\d+$")


@pytest.mark.parametrize(
    "line",
    [
        "getattr rank",
        "getattr nosuch",
        "setattr rank 3",
        "setattr foo 1",
        "setattr -f rank 0",
        "lsattr",
        "lsattr -v",
        "lsattr -x",
        "module load nosuch",
        "module load ./nosuch",
        "module load kvs",
        "module remove nosuch",
        "module remove -f nosuch",
        "module reload heartbeat period=2s",
        "module stats heartbeat",
        "module stats -p period -t int heartbeat",
        "module stats -p nosuch heartbeat",
        "module stats nosuch",
        "module stats -Rfoo kvs",
        "module stats -c kvs",
        "module debug -s 0x11 heartbeat",
        "module debug -c 1 heartbeat",
        "module debug -C heartbeat",
        "module debug nosuch",
        "overlay status",
        "overlay status --summary",
        "overlay status --no-pretty -H 1",
        "overlay status -L -r 1",
        "overlay status -r 99",
        "overlay status -w full",
        "overlay status -w foo",
        "overlay status -w lost -t 0.1s",
        "overlay lookup 0-1",
        "overlay lookup x",
        "overlay parentof 1",
        "overlay parentof 0",
        "nosuch",
    ],
)
def test_the_broker(flux_core_instance: FluxCoreInstance, line: str) -> None:
    compare(flux_core_instance, line)


@pytest.mark.parametrize(
    "line",
    [
        "ping -c1 0",
        "ping -c2 -i 0.01 kvs",
        "ping -c1 -r 1 -u -p 4 kvs",
        "ping -c3 -b -i 0 broker",
        "ping -c1 nosuch",
        "ping -c1 99",
        "ping -c1 upstream!kvs",
        "ping -c1 foo!kvs",
        "uptime",
        "module list -l",
        'event pub -s a.b {"x":1}',
        "event pub -l a.b",
    ],
)
def test_what_takes_time(flux_core_instance: FluxCoreInstance, line: str) -> None:
    compare(flux_core_instance, line, _ROUTE, _CLOCK, _NUMBERS, _SEQUENCE)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("line", ["dmesg", "dmesg -H", "dmesg -Hd -Lalways", "dmesg -d"])
def test_the_log(flux_core_instance: FluxCoreInstance, line: str, zone: str) -> None:
    args, env = line.split(), {"TZ": zone}
    assert flux_core_instance.ours(*args, env=env) == flux_core_instance.core(*args, env=env)
