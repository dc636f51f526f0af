"""The commands of ``flux`` that are built in, and where each is."""

from typing import Final

#: Name to ``module:NAME``.
COMMANDS: Final = {
    "broker": "fluxcore.cli.broker:BROKER",
    "cancel": "fluxcore.cli.cancel:CANCEL",
    "dmesg": "fluxcore.cli.dmesg:DMESG",
    "event": "fluxcore.cli.event:EVENT",
    "getattr": "fluxcore.cli.attr:GETATTR",
    "job": "fluxcore.cli.job.group:JOB",
    "jobs": "fluxcore.cli.jobs.command:JOBS",
    "kvs": "fluxcore.cli.kvs.group:KVS",
    "lsattr": "fluxcore.cli.attr:LSATTR",
    "module": "fluxcore.cli.module.group:MODULE",
    "overlay": "fluxcore.cli.overlay.group:OVERLAY",
    "ping": "fluxcore.cli.ping:PING",
    "run": "fluxcore.cli.submit.run:RUN",
    "setattr": "fluxcore.cli.attr:SETATTR",
    "start": "fluxcore.cli.start:START",
    "submit": "fluxcore.cli.submit.submit:SUBMIT",
    "uptime": "fluxcore.cli.uptime:UPTIME",
    "version": "fluxcore.cli.version:VERSION",
}

#: What ``flux --help`` lists: a heading, and its commands with what they do.
SECTIONS: Final = (
    (
        "run and submit jobs",
        (
            ("submit", "submit a job"),
            ("run", "run a job and see its output"),
        ),
    ),
    (
        "list and interact with jobs",
        (
            ("jobs", "list jobs"),
            ("cancel", "cancel jobs"),
            ("job", "attach to a job, raise exceptions, read its records"),
        ),
    ),
    (
        "get information about the instance",
        (
            ("uptime", "tell how long it has been running"),
            ("overlay", "show its brokers and their health"),
            ("dmesg", "print its log"),
            ("module", "list, load, remove and reload modules"),
            ("ping", "measure round trips to a service"),
        ),
    ),
    (
        "other useful commands",
        (
            ("start", "start an instance"),
            ("kvs", "read and write the key-value store"),
            ("event", "publish events and subscribe to them"),
            ("getattr", "print a broker attribute (also setattr, lsattr)"),
            ("version", "show versions"),
        ),
    ),
)
