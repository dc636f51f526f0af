"""A job as job-list lists it, and what can be told from that."""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from fluxcore.cli.jobs.values import short_duration
from fluxcore.job import states
from fluxcore.job.waitstatus import signal_text

#: What an attribute is if job-list does not have it.
_DEFAULTS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("t_depend", "t_priority", "t_sched", "t_run", "t_cleanup"), 0.0),
    **dict.fromkeys(("t_inactive", "duration", "expiration"), 0.0),
    **dict.fromkeys(("name", "cwd", "queue", "project", "bank", "ntasks", "ncores"), ""),
    **dict.fromkeys(("nnodes", "priority", "ranks", "nodelist", "success", "result"), ""),
    "waitstatus": "",
}
_WAITING: Final = (states.DEPEND, states.PRIORITY, states.SCHED)
#: Exit codes that a shell has a meaning for.
_EXIT_CODES: Final = {
    126: "Command invoked cannot execute",
    127: "command not found",
    128: "Invalid argument to exit",
}


class ListedJob:
    """One job.

    ``now`` is the time (seconds since 1970) at which times that are still running are taken;
    ``user_name`` gives the name of a user id.
    """

    def __init__(
        self, attrs: Mapping[str, Any], now: float, user_name: Callable[[int], str]
    ) -> None:
        self.attrs = {**_DEFAULTS, **attrs}
        self._now = now
        self._user_name = user_name

    def __getitem__(self, name: str) -> Any:
        """An attribute, or "" if it is not known."""
        return self.attrs.get(name, "")

    @property
    def id(self) -> int:
        """Its id."""
        return int(self.attrs["id"])

    # -- state and result ------------------------------------------------------------------

    @property
    def state_number(self) -> int:
        """The number of its state, 0 if that was not asked for."""
        return int(self.attrs.get("state") or 0)

    @property
    def result_number(self) -> int:
        """The number of its result, 0 if it has none."""
        return int(self.attrs.get("result") or 0)

    @property
    def state(self) -> str:
        """Its state in words."""
        return states.state_name(self.state_number)

    @property
    def result(self) -> str:
        """Its result in words, "" if it has none."""
        return states.result_name(self.result_number) if self.result_number else ""

    @property
    def result_letters(self) -> str:
        """Its result in letters, "" if it has none."""
        return states.result_letters(self.result_number) if self.result_number else ""

    @property
    def _active(self) -> bool:
        return bool(self.state_number & states.ACTIVE)

    @property
    def status(self) -> str:
        """Its state while it is active, then its result."""
        return self.state if self._active else self.result

    @property
    def status_letters(self) -> str:
        """As :attr:`status`, in letters."""
        return states.state_letters(self.state_number) if self._active else self.result_letters

    # -- users, times ----------------------------------------------------------------------

    @property
    def username(self) -> str:
        """The name of its user."""
        return self._user_name(int(self.attrs["userid"]))

    @property
    def runtime(self) -> float:
        """For how many seconds it ran, or has been running."""
        begin, end = self["t_run"], self["t_cleanup"]
        if begin > 0:
            return float(end - begin if end > 0 else self._now - begin)
        return 0.0

    @property
    def t_remaining(self) -> float:
        """For how many seconds it may still run."""
        if self.state_number != states.RUN:
            return 0.0
        return max(0.0, float(self["expiration"] or 0.0) - self._now)

    @property
    def contextual_time(self) -> float:
        """The time limit of a job that waits, the run time of any other."""
        return float(self["duration"]) if self.state_number in _WAITING else self.runtime

    # -- what the scheduler and others noted -------------------------------------------------

    @property
    def annotations(self) -> dict[str, Any]:
        """All annotations."""
        notes = self.attrs.get("annotations")
        return notes if isinstance(notes, dict) else {}

    def annotation(self, path: str) -> Any:
        """The annotation at a dotted path, "" if there is none; objects as JSON."""
        value: Any = self.annotations
        for key in filter(None, path.split(".")):
            value = value.get(key, "") if isinstance(value, dict) else ""
        if isinstance(value, dict):
            return json.dumps(value) if value else ""
        return value

    @property
    def uri(self) -> str:
        """How to connect to the instance that the job is, "" if it is none."""
        uri = str(self.annotation("user.uri"))
        return self.local_uri if uri and "FLUX_URI_RESOLVE_LOCAL" in os.environ else uri

    @property
    def local_uri(self) -> str:
        """The same for somebody on the same host."""
        uri = str(self.annotation("user.uri"))
        scheme, separator, rest = uri.partition("://")
        if not separator or scheme == "local":
            return uri
        return "local:///" + rest.partition("/")[2].lstrip("/")

    @cached_property
    def dependencies(self) -> list[str]:
        """What it waits for."""
        return [_dependency(text, self._now) for text in self.attrs.get("dependencies", [])]

    @property
    def exception(self) -> dict[str, Any]:
        """Its worst exception: whether there was one, its severity, type and note."""
        keys = ("occurred", "severity", "type", "note")
        return {key: self[f"exception_{key}"] for key in keys}

    # -- summaries -------------------------------------------------------------------------

    @property
    def returncode(self) -> int | str:
        """Its exit code, or the negative number of the signal that killed its shell.

        Of a job that never ran, -128 if it was cancelled and 1 if it failed; "" of an active one.
        """
        status = self["waitstatus"]
        if isinstance(status, int):
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return {states.CANCELED: -128, states.FAILED: 1}.get(self.result_number, "")

    @property
    def contextual_info(self) -> str:
        """Where it runs or ran; before that, what it waits for."""
        match self.state_number:
            case states.PRIORITY:
                return "priority-wait"
            case states.DEPEND:
                return f"depends:{','.join(self.dependencies)}"
            case states.SCHED:
                return self._wait_for_resources()
        return str(self["nodelist"])

    def _wait_for_resources(self) -> str:
        estimate = self.annotation("sched.t_estimate")
        if isinstance(estimate, int | float):
            left = estimate - self._now
            return f"eta:{'now' if left < 0 else short_duration(left)}"
        if self["urgency"] == 0:
            return "held"
        return "priority-hold" if self["priority"] == 0 else ""

    @property
    def inactive_reason(self) -> str:
        """Why it ended, "" while it is active."""
        if self.state_number != states.INACTIVE:
            return ""
        match self.result_number:
            case states.CANCELED:
                note = self.exception["note"] if self.exception["type"] == "cancel" else ""
                return f"Canceled: {note}" if note else "Canceled"
            case states.TIMEOUT:
                return "Timeout"
            case states.FAILED:
                return self._failure()
        return f"Exit {self.returncode}"

    def _failure(self) -> str:
        worst = self.exception
        if worst["occurred"] and worst["type"] != "exec" and worst["severity"] == 0:
            note = f" note={worst['note']}" if worst["note"] else ""
            return f"Exception: type={worst['type']}{note}"
        code = self.returncode
        if isinstance(code, int) and code > 128:
            return signal_text(code - 128)
        return _EXIT_CODES.get(code if isinstance(code, int) else -1, f"Exit {code}")


def _dependency(text: str, now: float) -> str:
    """A dependency as it is shown; the time of a begin-time in hours and minutes."""
    scheme, _, value = text.partition("=")
    if scheme != "begin-time":
        return text
    when, today = time.localtime(float(value)), time.localtime(now)
    day = "" if when[:3] == today[:3] else time.strftime("%b%d-", when)
    seconds = time.strftime(":%S", when) if when.tm_sec else ""
    return f"begin@{day}{time.strftime('%H:%M', when)}{seconds}"
