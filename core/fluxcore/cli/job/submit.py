"""``flux job submit``: a jobspec from a file (CONTRACTS D2, D13)."""

import os
import sys
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Option, Parsed
from fluxcore.job.sign import wrap
from fluxcore.job.submission import FLAG_PRE_SIGNED, FLAGS, URGENCY_DEFAULT
from fluxcore.wire.payload import need_int


def submit(parsed: Parsed) -> None:
    """Submit a jobspec and print its id."""
    if len(parsed.args) > 1:
        raise UsageError
    flags = submit_flags(parsed.texts("flags"))
    urgency = parsed.integer("urgency", URGENCY_DEFAULT)
    name = parsed.args[0] if parsed.args else "-"
    with connect() as flux:
        spec = _read(name)
        if not spec:
            raise CommandError("required jobspec is empty")
        signed = spec.decode().strip() if flags & FLAG_PRE_SIGNED else sign(spec, name)
        payload = {"J": signed, "urgency": urgency, "flags": flags}
        answer = flux.rpc("job-ingest.submit", payload).json
    print(id_text(need_int(answer, "id")))


def submit_flags(texts: list[str]) -> int:
    """The flags in comma separated lists; "signed" says that the jobspec is signed already.

    :raises CommandError: one is unknown
    """
    known = {**FLAGS, "signed": FLAG_PRE_SIGNED}
    flags = 0
    for name in ",".join(texts).split(",") if texts else []:
        if name not in known:
            raise CommandError(f"unknown flag: {name}")
        flags |= known[name]
    return flags


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    with open(name, "rb") as file:
        return file.read()


def sign(spec: bytes, name: str) -> str:
    """The jobspec signed by us: JSON goes as it is, for the service to judge; YAML as JSON.

    :raises CommandError: it is neither
    """
    if not spec.lstrip().startswith(b"{"):
        spec = _from_yaml(spec, name)
    return wrap(spec, os.getuid())


def _from_yaml(spec: bytes, name: str) -> bytes:
    import json

    from fluxcore.job.jobspec_text import JobspecSyntaxError, load_text

    try:
        obj: Any = load_text(spec.decode())
    except UnicodeDecodeError:
        raise CommandError(f"{name}: not valid UTF-8") from None
    except JobspecSyntaxError as exc:
        raise CommandError(f"{name}: {exc}") from None
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()


SUBMIT: Final = Command(
    "flux-job submit",
    "[OPTIONS] [jobspec]",
    "Submit a jobspec, by default from stdin",
    submit,
    [
        Option("urgency", "u", "N", "the job's urgency: 0 (hold) to 31, by default 16"),
        Option("flags", "f", "FLAGS", "comma separated: debug, waitable, novalidate, signed"),
    ],
)
