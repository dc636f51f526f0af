"""jobs.py COUNT: jobs a second, from the first submission to the last job's ``clean``."""

import sys
import time

import orjson

from fluxcore.handle.blocking import Flux
from fluxcore.job.jobspec_build import Options, from_command
from fluxcore.job.sign import wrap

count = int(sys.argv[1])
jobspec = from_command(["/bin/true"], Options(cwd="/tmp", environment={"PATH": "/usr/bin:/bin"}))
with Flux() as flux:
    signed = wrap(orjson.dumps(jobspec), int(flux.attr("security.owner")))
    journal = flux.start("job-manager.events-journal", {}, flags=0x40)
    clean = 0
    started = time.perf_counter()
    submitted = [
        flux.start("job-ingest.submit", {"J": signed, "urgency": 16, "flags": 0})
        for _ in range(count)
    ]
    for pending in submitted:
        pending.get()
    while clean < count:
        events = journal.get().json["events"]
        clean += sum(event["name"] == "clean" for event in events)
    print(count / (time.perf_counter() - started))
