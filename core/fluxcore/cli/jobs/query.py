"""What ``flux jobs`` asks job-list for (RFC 43, CONTRACTS D12)."""

import time
from typing import Any, Final

from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Parsed
from fluxcore.cli.users import EVERY_USER, parse_user
from fluxcore.job import states
from fluxcore.job.fsd import parse_fsd
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

#: The states that a user may name, and the results.
_STATES: Final = {
    name.lower(): number for number, (name, _) in states.STATES.items() if number != states.NEW
}
_RESULTS: Final = {name.lower(): number for number, (name, _) in states.RESULTS.items()}


def build_constraint(parsed: Parsed, userid: int) -> dict[str, Any]:
    """The constraint that the options ask for.

    :param userid: ours, whose jobs are listed unless others are asked for
    :raises CommandError: an option's argument is none of its kind
    """
    parts: list[dict[str, Any]] = []
    include = parsed.text("include")
    if include is not None:
        parts.append(_targets(include))
    user = _userid(parsed, userid)
    if user != EVERY_USER:
        parts.append({"userid": [user]})
    name = parsed.text("name")
    if name:
        parts.append({"name": [name]})
    queues = _split(parsed.texts("queue"))
    if queues:
        parts.append({"queue": queues})
    parts += _filters(parsed)
    return {"and": parts}


def _filters(parsed: Parsed) -> list[dict[str, Any]]:
    wanted = filter_names(parsed)
    state, result = 0, 0
    for name in wanted:
        if name in _STATES:
            state |= _STATES[name]
        elif name in _RESULTS:
            result |= _RESULTS[name]
        else:
            raise CommandError(f"Invalid filter specified: {name}")
    if state and result:
        return [{"or": [{"states": [state]}, {"results": [result]}]}]
    if result:
        return [{"results": [result]}]
    return [{"states": [state]}]


def filter_names(parsed: Parsed) -> list[str]:
    """The states and results that are asked for; active jobs if none is."""
    names = [name.lower() for name in _split(parsed.texts("filter"))]
    if names:
        return names
    everything = "all" in parsed or "since" in parsed
    return ["pending", "running", "inactive"] if everything else ["pending", "running"]


def _split(texts: list[str]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]


def _targets(text: str) -> dict[str, Any]:
    try:
        return {"ranks": [IdSet.decode(text).encode()]}
    except ValueError:
        pass
    try:
        return {"hostlist": [Hostlist.decode(text).encode()]}
    except ValueError:
        raise CommandError(f"-i/--include: invalid targets: {text}") from None


def _userid(parsed: Parsed, userid: int) -> int:
    if "all-users" in parsed:
        return EVERY_USER
    text = parsed.text("user")
    if text is not None:
        return parse_user(text)
    # Who asks for hosts wants to know who is there.
    return EVERY_USER if "include" in parsed else userid


def parse_since(text: str, now: float) -> float:
    """A time in seconds since 1970: that number, ISO 8601, or ``-FSD`` for so long ago.

    :raises CommandError: it is none of these, or in the future
    """
    since = _since(text, now)
    if since > now:
        raise CommandError(f"--since={text} appears to be in the future")
    return since


def _since(text: str, now: float) -> float:
    from datetime import datetime

    if text == "now":
        return now
    try:
        if text[:1] in ("-", "+"):
            offset = parse_fsd(text[1:])
            return now - offset if text[0] == "-" else now + offset
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise CommandError(f'Invalid datetime: "{text}"') from None


def clock() -> float:
    """The time at which the list is made."""
    return time.time()
