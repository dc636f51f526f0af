"""A guest's namespace whose commits fail."""

import asyncio
import errno

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.kvs.blobref import hash_type
from fluxcore.modules.job_exec.namespace import Flusher, Guest, PrimaryWriter
from fluxcore.modules.job_exec.records import Records
from fluxcore.shell.options import ShellOptions
from fluxcore.wire.message import Message, error_response, response

GOOD = "sha1-" + "a" * 40


class Guested:
    """A guest, and who answers its requests."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.flux = Flux(self._send)
        loop = asyncio.get_running_loop()
        self.records = Records(ShellOptions())
        writer, self.flusher = PrimaryWriter(self.flux), Flusher(loop)
        self.guest = Guest(self.flux, writer, self.flusher, 1234, self.records, lambda _told: None)
        self.guest.create(0, hash_type("sha1"), lambda _error: None)
        self.answer()

    def _send(self, msg: Message) -> None:
        if msg.topic != "log.append":
            self.sent.append(msg)

    def answer(self, errnum: int = 0) -> Message:
        """Answer the oldest request; the request."""
        req = self.sent.pop(0)
        if not req.noresponse:
            good = response(req, {"rootref": GOOD, "rootseq": 1})
            self.flux.receive(error_response(req, errnum) if errnum else good)
        return req

    async def write(self, errnum: int = 0) -> None:
        """Have an event committed, or not."""
        self.records.event(1.0, "x")
        self.guest.flush()
        assert self.answer(errnum).json["namespace"] == "job-1234"
        await asyncio.sleep(0)  # what goes to the primary namespace goes at the end of the turn
        while self.sent:
            self.answer()


@pytest.mark.parametrize(
    ("errnum", "kept"), [(errno.EIO, ["dirref"]), (errno.EFBIG, ["dirref"]), (errno.ENOTSUP, [])]
)
async def test_what_was_committed_before_is_kept(errnum: int, kept: list[str]) -> None:
    """Unless the commit fails because somebody has removed the namespace."""
    guested, over = Guested(), []
    await guested.write()
    await guested.write(errnum)
    guested.guest.close(lambda: over.append(True))
    await asyncio.sleep(0)
    dirents = []
    while guested.sent:
        req = guested.answer()
        dirents += [op["dirent"] for op in req.json.get("ops", ())]
    assert over == [True]
    assert [dirent["type"] for dirent in dirents] == kept
    assert all(dirent["data"] == [GOOD] for dirent in dirents)
    guested.flusher.close()
    await guested.flux.close()
