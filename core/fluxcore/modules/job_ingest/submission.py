"""A submission: what a user has sent, checked and taken apart."""

import errno
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fluxcore.handle.errors import rpc_error
from fluxcore.job import sign
from fluxcore.job.jobid import kvs_key
from fluxcore.job.jobspec import Jobspec
from fluxcore.job.submission import FLAG_NOVALIDATE, check
from fluxcore.kvs.ops import Op, put
from fluxcore.wire.constants import ROLE_OWNER
from fluxcore.wire.jsontext import loads
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str

#: The first word of a text that is no JSON object or array.
_WORD: Final = re.compile(r'[A-Za-z]+|"(?:[^"\\]|\\.)*"|-?[0-9.]+(?:[eE][-+]?[0-9]+)?|.', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to run a job. ``jobspec`` is without its environment, which J has."""

    req: Message
    signed: str
    jobspec: Jobspec
    urgency: int
    flags: int

    @classmethod
    def of(cls, req: Message, validate: Callable[[Jobspec], None] | None) -> "Submission":
        """The submission that a request ``{J, urgency, flags}`` is.

        ``validate`` checks a jobspec, by raising OSError.

        :raises OSError: it is malformed, or its sender may not ask for that (CONTRACTS D2)
        """
        signed = need_str(req.json, "J")
        urgency, flags = need_int(req.json, "urgency"), need_int(req.json, "flags")
        is_owner = bool(req.rolemask & ROLE_OWNER)
        check(urgency, flags, is_owner=is_owner)
        jobspec = _parse(sign.unwrap_from(signed, req.userid, is_owner=is_owner))
        if validate is not None and not flags & FLAG_NOVALIDATE:
            validate(jobspec)
        return cls(req, signed, _without_environment(jobspec), urgency, flags)

    def ops(self, jobid: int) -> list[Op]:
        """The operations that put it into the KVS (RFC 16)."""
        return [
            put(kvs_key(jobid, "J"), self.signed.encode()),
            put(kvs_key(jobid, "jobspec"), orjson.dumps(self.jobspec)),
        ]

    def to_json(self, jobid: int) -> dict[str, Any]:
        """What the job manager is told."""
        return {
            "id": jobid,
            "userid": self.req.userid,
            "urgency": self.urgency,
            "t_submit": time.time(),
            "flags": self.flags,
            "jobspec": self.jobspec,
        }


def _parse(text: bytes) -> Jobspec:
    if not text.lstrip().startswith((b"{", b"[")):
        word = _WORD.match(text.decode(errors="replace").lstrip())
        near = f" near '{word[0]}'" if word else ""
        raise rpc_error(errno.EINVAL, f"jobspec: invalid JSON: '[' or '{{' expected{near}")
    try:
        jobspec = loads(text)
    except ValueError as exc:
        raise rpc_error(errno.EINVAL, f"jobspec: invalid JSON: {exc}") from None
    if not isinstance(jobspec, dict):
        raise rpc_error(errno.EINVAL, "jobspec: invalid JSON: '{' expected")
    return jobspec


def _without_environment(jobspec: Jobspec) -> Jobspec:
    """The jobspec without its largest part, as far as it has the form of one."""
    attributes = jobspec.get("attributes")
    system = attributes.get("system") if isinstance(attributes, dict) else None
    if not isinstance(attributes, dict) or not isinstance(system, dict):
        return jobspec
    if "environment" not in system:
        return jobspec
    rest = {key: value for key, value in system.items() if key != "environment"}
    return {**jobspec, "attributes": {**attributes, "system": rest}}
