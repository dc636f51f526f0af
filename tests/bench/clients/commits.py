"""commits.py COUNT: commits a second, each a put of a new key in one directory."""

import sys
import time

from fluxcore.handle.blocking import Flux

count = int(sys.argv[1])
value = {"ver": 1, "type": "val", "data": "NDI="}
with Flux() as flux:
    started = time.perf_counter()
    for number in range(count):
        ops = [{"key": f"bench.key{number:06d}", "flags": 0, "dirent": value}]
        flux.rpc("kvs.commit", {"namespace": "primary", "flags": 0, "ops": ops})
    print(count / (time.perf_counter() - started))
