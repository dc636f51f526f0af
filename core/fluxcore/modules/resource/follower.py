"""What the resource module answers on ranks above 0: mostly, to ask rank 0."""

import errno

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message


class Follower(Service):
    """Refuses what only rank 0 can do, and hands on what others may ask."""

    def __init__(self, flux: Flux) -> None:
        self._flux = flux

    @method("resource.get")
    async def get(self, _req: Message) -> Reply:
        """-> ``{R, method}``, from rank 0."""
        return (await self._flux.rpc("resource.get", nodeid=0)).json

    @method("resource.status", role=ROLE_USER)
    @method("resource.sched-status", role=ROLE_USER)
    @method("resource.monitor-waitup")
    def only_on_leader(self, _req: Message) -> Reply:
        """Rank 0 knows."""
        raise rpc_error(errno.EPROTO, "this RPC only works on rank 0")

    @method("resource.reload")
    @method("resource.expiration-update")
    def not_here(self, req: Message) -> Reply:
        """Rank 0 has the resources."""
        raise rpc_error(errno.ENOSYS, f"{req.topic} is only available on rank 0")
