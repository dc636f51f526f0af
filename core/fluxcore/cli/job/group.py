"""``flux job``."""

from typing import Final

from fluxcore.cli.command import Group

JOB: Final = Group(
    "flux-job",
    "",
    "Common commands from flux-job",
    {
        "submit": ("fluxcore.cli.job.submit:SUBMIT", "Submit a jobspec"),
        "attach": ("fluxcore.cli.job.attach:ATTACH", "Follow a job and give it input"),
        "last": ("fluxcore.cli.job.last:LAST", "Print the ids of my latest jobs"),
        "eventlog": ("fluxcore.cli.job.eventlog:EVENTLOG", "Print a job's events"),
        "wait-event": ("fluxcore.cli.job.wait_event:WAIT_EVENT", "Wait for an event of a job"),
        "info": ("fluxcore.cli.job.info:INFO", "Print what is recorded of a job"),
        "cancel": ("fluxcore.cli.job.raise_exception:CANCEL", "Cancel jobs"),
        "raise": ("fluxcore.cli.job.raise_exception:RAISE", "Raise an exception on jobs"),
        "kill": ("fluxcore.cli.job.kill:KILL", "Send a signal to running jobs"),
        "urgency": ("fluxcore.cli.job.urgency:URGENCY", "Set a job's urgency"),
        "id": ("fluxcore.cli.job.id:ID", "Convert job ids to another form"),
    },
)
