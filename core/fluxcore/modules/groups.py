"""The groups service: named sets of brokers (CONTRACTS A36).

Each broker joins for itself; what changes in a subtree goes up in batches and is added up on rank
0, which answers groups.get. When a child is lost, its parent takes the whole subtree out.
"""

import asyncio
import errno
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.requests import RequestList
from fluxcore.resource.idset import IdSet
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, request
from fluxcore.wire.payload import need_dict, need_str

#: Updates go up at most this often, in seconds; the first after a pause goes at once.
_BATCH: Final = 0.02

_Change = tuple[IdSet, IdSet]
_NONE: Final = IdSet()


class Groups(Module):
    """Serves groups.*."""

    name = "groups"
    placement = "loop"

    async def start(self) -> None:
        """Follow the children, so that those that are lost leave their groups."""
        #: Our own groups, each with who has made us join: that one's end takes us out again.
        self._mine: dict[str, RequestList] = {}
        #: What is known of the subtree here; on rank 0, of the whole instance.
        self._members: dict[str, IdSet] = {}
        self._changes: dict[str, _Change] = {}
        self._watchers: dict[str, RequestList] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._me = IdSet([self.rank])
        self._subtrees: dict[int, IdSet] = {}
        if self.size > 1:
            topology = await self.flux.rpc(
                "overlay.topology", {"rank": self.rank}, nodeid=self.rank
            )
            for child in topology.json["children"]:
                self._subtrees[child["rank"]] = IdSet(_ranks_of(child))
            stream = self.flux.stream("overlay.monitor", nodeid=self.rank)
            stream.then(self._child_changed)

    # -- requests --------------------------------------------------------------------------

    @method("groups.join")
    def join(self, req: Message) -> Reply:
        """``{name}``: this broker joins."""
        name = self._local_name(req)
        if name in self._mine:
            text = f"rank {self.rank} is already a member of {name}"
            raise rpc_error(errno.EEXIST, text)
        joiner = self._mine[name] = RequestList(self.flux)
        joiner.add(req)
        self._change(name, self._me, _NONE)
        return None

    @method("groups.leave")
    def leave(self, req: Message) -> Reply:
        """``{name}``: this broker leaves."""
        name = self._local_name(req)
        if name not in self._mine:
            raise rpc_error(errno.ENOENT, f"rank {self.rank} is not a member of {name}")
        self._leave(name)
        return None

    def _leave(self, name: str) -> None:
        del self._mine[name]
        self._change(name, _NONE, self._me)

    def _local_name(self, req: Message) -> str:
        if not req.rolemask & c.ROLE_LOCAL:
            text = f"{req.topic} is restricted to the local broker"
            raise rpc_error(errno.EPROTO, text)
        return need_str(req.json, "name")

    @method("groups.get", role=c.ROLE_USER)
    def get(self, req: Message) -> Reply:
        """``{name}`` -> ``{members}``, an idset; streaming, again at each change. Rank 0 only."""
        if self.rank > 0:
            raise rpc_error(errno.EPROTO, "this RPC is only available on rank 0")
        name = need_str(req.json, "name")
        members = {"members": self._members.get(name, _NONE).encode()}
        if not req.streaming:
            return members
        self._watchers.setdefault(name, RequestList(self.flux)).add(req)
        self.flux.respond(req, members)
        return DEFERRED

    @method("groups.update")
    def update(self, req: Message) -> Reply:
        """``{update: {name: {join, leave}}}``, both idsets: from a child, nobody waits."""
        update = need_dict(req.json, "update")
        changes = [(name, *_decoded(need_dict(update, name))) for name in update]
        for name, joined, left in changes:
            self._change(name, joined, left)
        return None

    @method("groups.disconnect", role=c.ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client has gone: we leave what it has made us join."""
        for name, joiner in list(self._mine.items()):
            if joiner.disconnect(req):
                self._leave(name)
        for name, watchers in list(self._watchers.items()):
            watchers.disconnect(req)
            if not watchers:
                del self._watchers[name]
        return None

    # -- changes ---------------------------------------------------------------------------

    def _child_changed(self, answer: Message) -> None:
        """overlay.monitor: a child that is not online takes its subtree out of every group."""
        if answer.errnum or answer.json["status"] not in ("lost", "offline"):
            return
        gone = self._subtrees.get(answer.json["rank"], _NONE)
        for name, members in list(self._members.items()):
            if members & gone:
                self._change(name, _NONE, members & gone)

    def _change(self, name: str, joined: IdSet, left: IdSet) -> None:
        members = (self._members.get(name, _NONE) | joined) - left
        self._members[name] = members
        if self.rank == 0:
            if name in self._watchers:
                self._watchers[name].respond({"members": members.encode()})
            return
        before = self._changes.get(name, (_NONE, _NONE))
        self._changes[name] = ((before[0] | joined) - left, (before[1] | left) - joined)
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        if not self._changes or not self.flux.connected:
            return
        changes, self._changes = self._changes, {}
        update: dict[str, Any] = {
            name: {"join": joined.encode(), "leave": left.encode()}
            for name, (joined, left) in changes.items()
        }
        flags = c.UPSTREAM | c.NORESPONSE
        self.flux.core.send(
            request("groups.update", {"update": update}, nodeid=self.rank, flags=flags)
        )
        self._timer = self.flux.loop.call_later(_BATCH, self._flush)

    async def stop(self) -> None:
        """Stop sending, and end the streams of those who watch."""
        if self._timer is not None:
            self._timer.cancel()
        for watchers in self._watchers.values():
            watchers.end()

    def stats(self) -> dict[str, Any]:
        """What groups.stats-get answers: ``{subtree}``, the members of each group known here."""
        members = {name: members.encode() for name, members in self._members.items()}
        return {"subtree": members}


def _decoded(change: dict[str, Any]) -> _Change:
    try:
        return IdSet.decode(need_str(change, "join")), IdSet.decode(need_str(change, "leave"))
    except ValueError:
        raise PayloadError from None


def _ranks_of(tree: dict[str, Any]) -> list[int]:
    ranks = [int(tree["rank"])]
    for child in tree["children"]:
        ranks.extend(_ranks_of(child))
    return ranks
