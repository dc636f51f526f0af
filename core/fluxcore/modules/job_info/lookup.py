"""Looking up keys of a job: job-info.lookup and update-lookup (CONTRACTS D11)."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job.eventlog import decode_log
from fluxcore.job.jobid import kvs_key
from fluxcore.job.updates import update_jobspec, update_r
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_info.access import DENIED, Owners
from fluxcore.modules.job_info.progress import await_records, runs
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_list, need_str

_DECODE: Final = 1
_CURRENT: Final = 2
_EVENTLOG: Final = "eventlog"
_GUEST: Final = "guest."

#: The event that changes each key, and what makes the new value of the old one.
UPDATES: Final[Mapping[str, tuple[str, Callable[[Any, Mapping[str, Any]], Any]]]] = {
    "R": ("resource-update", update_r),
    "jobspec": ("jobspec-update", update_jobspec),
}

#: Values of keys, each the bytes or why there are none.
Values = Mapping[str, bytes | OSError]


class LookupService(Service):
    """Serves lookups."""

    def __init__(self, flux: Flux, owners: Owners) -> None:
        self._flux = flux
        self._owners = owners
        #: How many lookups wait for values.
        self.pending = 0

    @method("job-info.lookup", role=c.ROLE_USER)
    def lookup(self, req: Message) -> Reply:
        """``{id, keys, flags}`` -> ``{id, KEY: value..}``."""
        jobid, keys = need_int(req.json, "id"), need_list(req.json, "keys")
        flags = need_int(req.json, "flags")
        if flags & ~(_DECODE | _CURRENT):
            raise rpc_error(errno.EPROTO, "lookup request rejected with invalid flag")
        if not all(isinstance(key, str) for key in keys):
            raise PayloadError
        self._look_up(req, jobid, keys, flags)
        return DEFERRED

    @method("job-info.update-lookup", role=c.ROLE_USER)
    def update_lookup(self, req: Message) -> Reply:
        """``{id, key: "R", flags: 0}`` -> ``{id, R: object}``, as it is now."""
        jobid, key = need_int(req.json, "id"), need_str(req.json, "key")
        if need_int(req.json, "flags"):
            raise rpc_error(errno.EPROTO, "update-lookup request rejected with invalid flag")
        if key != "R":
            raise rpc_error(errno.EINVAL, "update-lookup unsupported key specified")
        self._look_up(req, jobid, [key], _DECODE | _CURRENT)
        return DEFERRED

    def _look_up(self, req: Message, jobid: int, keys: Sequence[str], flags: int) -> None:
        allowed = self._owners.allows(req, jobid)
        if allowed is False:
            raise rpc_error(errno.EPERM, DENIED)
        wanted = list(keys)
        # The owner too gets the eventlog looked up: it tells an unknown job from a missing key.
        if allowed is None or flags & _CURRENT:
            wanted.append(_EVENTLOG)

        def found(values: Values) -> None:
            try:
                if allowed is None:
                    self._check(req, jobid, values[_EVENTLOG])
            except OSError as exc:
                self._flux.core.respond_exception(req, exc)
            else:
                self._look_again(jobid, values, answer)

        def answer(values: Values) -> None:
            try:
                self._flux.respond(req, _answer(jobid, keys, flags, values))
            except OSError as exc:
                self._flux.core.respond_exception(req, exc)

        self.fetch(jobid, wanted, found)

    def _look_again(self, jobid: int, values: Values, then: Callable[[Values], None]) -> None:
        """Have what is missing of the guest looked up once a job that runs has written it."""
        missing = [key for key, value in values.items() if _is_missing(key, value)]

        def checked(job: Values) -> None:
            if runs(job[_EVENTLOG]):
                await_records(self._flux, jobid, written)
            else:
                then(values)

        def written(live: bool) -> None:
            # The link to the job's namespace may come a moment after what is in there.
            self.fetch(jobid, missing, found, f"job-{jobid}" if live else PRIMARY)

        def found(again: Values) -> None:
            if any(isinstance(v, OSError) and v.errno == errno.ENOTSUP for v in again.values()):
                written(False)  # the job has ended meanwhile
            else:
                then({**values, **again})

        if missing:
            self.fetch(jobid, [_EVENTLOG], checked)
        else:
            then(values)

    def _check(self, req: Message, jobid: int, eventlog: bytes | OSError) -> None:
        if isinstance(eventlog, OSError):
            unknown = eventlog.errno == errno.ENOENT
            text = "invalid job id" if unknown else eventlog.strerror
            raise rpc_error(eventlog.errno or errno.EINVAL, text)
        self._owners.check(req, jobid, eventlog)

    def fetch(
        self,
        jobid: int,
        keys: Sequence[str],
        then: Callable[[Values], None],
        namespace: str = PRIMARY,
    ) -> None:
        """Look ``keys`` of a job up in the KVS, each once, and give ``then`` what was found.

        ``namespace`` may be that of the job, where the keys of its guest are as long as it runs.
        """
        wanted = dict.fromkeys(keys)
        values: dict[str, bytes | OSError] = {}

        def found(key: str, answer: Message) -> None:
            values[key] = _value(answer)
            if len(values) == len(wanted):
                self.pending -= 1
                then(values)

        if not wanted:
            then(values)
            return
        self.pending += 1
        for key in wanted:
            path = kvs_key(jobid, key) if namespace == PRIMARY else key.removeprefix(_GUEST)
            payload = {"key": path, "namespace": namespace, "flags": 0}
            self._flux.rpc("kvs.lookup", payload).then(partial(found, key))


def _is_missing(key: str, value: bytes | OSError) -> bool:
    """True if a key of the guest is not there."""
    return key.startswith(_GUEST) and isinstance(value, OSError) and value.errno == errno.ENOENT


def _value(answer: Message) -> bytes | OSError:
    if answer.errnum:
        return rpc_error(answer.errnum, answer.text)
    try:
        return val_bytes(answer.json["val"])
    except OSError as exc:
        return exc


def _answer(jobid: int, keys: Sequence[str], flags: int, values: Values) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": jobid}
    for key in keys:
        value = values[key]
        if isinstance(value, OSError):
            missing = value.errno == errno.ENOENT
            text = "key not found" if missing else os.strerror(value.errno or errno.EINVAL)
            raise rpc_error(value.errno or errno.EINVAL, f"{key}: {text}")
        if not value:
            raise rpc_error(errno.EPROTO, f"{key}: value is unexpectedly empty")
        answer[key] = _shown(key, value, flags, values)
    return answer


def _shown(key: str, value: bytes, flags: int, values: Values) -> Any:
    """A value as the flags ask for it."""
    if key not in UPDATES or not flags:
        return value.decode(errors="replace")
    try:
        obj = orjson.loads(value)
        if flags & _CURRENT:
            obj = current(key, obj, values[_EVENTLOG])
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else os.strerror(errno.EINVAL)
        text = f"{key}: error applying eventlog to original value: {why}"
        raise rpc_error(errno.EINVAL, text) from None
    return obj if flags & _DECODE else orjson.dumps(obj).decode()


def current(key: str, obj: Any, eventlog: bytes | OSError) -> Any:
    """What the value ``obj`` of ``key`` has become by the events of the job.

    :raises OSError: there is no eventlog
    :raises ValueError: it is malformed
    """
    if isinstance(eventlog, OSError):
        raise eventlog
    name, update = UPDATES[key]
    for event in decode_log(eventlog):
        if event.name == name and event.context is not None:
            obj = update(obj, event.context)
    return obj
