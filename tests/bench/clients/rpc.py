"""rpc.py TOPIC COUNT: the median round trip in milliseconds, one request at a time."""

import sys
import time
from statistics import median

from fluxcore.handle.blocking import Flux

topic, count = sys.argv[1], int(sys.argv[2])
with Flux() as flux:
    times = []
    for seq in range(count):
        started = time.perf_counter()
        flux.rpc(topic, {"seq": seq})
        times.append(time.perf_counter() - started)
print(median(times) * 1e3)
