"""A command line given to flux-core's flux and to ours, in an instance of flux-core.

What differs for a good reason (help, words about options) is tested elsewhere; what differs from
run to run (times, ids, routes) is rubbed out before comparing.
"""

import re
import shlex

from support.flux_core_instance import FluxCoreInstance, Outcome

#: An id of a job as commands show it.
JOBID = re.compile(r"ƒ[1-9A-HJ-NP-Za-km-z]+")


def rub_out(text: str, *patterns: re.Pattern[str]) -> str:
    """``text`` with what matches one of ``patterns`` made the same."""
    for pattern in patterns:
        text = pattern.sub("#", text)
    return text


def compare(
    instance: FluxCoreInstance, line: str, *patterns: re.Pattern[str], stdin: str = ""
) -> Outcome:
    """Run ``line`` with both commands; what ours did, if it did the same."""
    args = shlex.split(line)
    core, ours = instance.core(*args, stdin=stdin), instance.ours(*args, stdin=stdin)
    assert rub_out(ours.stdout, *patterns) == rub_out(core.stdout, *patterns)
    assert rub_out(ours.stderr, *patterns) == rub_out(core.stderr, *patterns)
    assert ours.status == core.status
    return ours
