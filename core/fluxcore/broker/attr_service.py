"""The attr service (CONTRACTS A30)."""

import errno
from typing import Final

from fluxcore.broker.attributes import Attributes
from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.wire.constants import ROLE_ALL
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str, opt_bool

#: Attributes that another service must approve of before they change.
_REDIRECTS: Final = {"log-stderr-level": "log.setattr"}
_REDIRECT_PREFIX: Final = ("test-rd.", "testrd.setattr")


class AttrService(Service):
    """Serves attr.get, attr.list, attr.set and attr.rm."""

    def __init__(self, flux: Flux, attrs: Attributes) -> None:
        self._flux = flux
        self._attrs = attrs

    @method("attr.get", role=ROLE_ALL)
    def get(self, req: Message) -> Reply:
        """``{name}`` -> ``{value, flags}``; flag 1 says that the value never changes."""
        name = need_str(req.json, "name")
        value = self._attrs.get(name)
        if value is None:
            raise rpc_error(errno.ENOENT)
        return {"value": value, "flags": int(self._attrs.immutable(name))}

    @method("attr.list", role=ROLE_ALL)
    def list(self, _req: Message) -> Reply:
        """-> ``{names}``."""
        return {"names": list(self._attrs)}

    @method("attr.set")
    async def set(self, req: Message) -> Reply:
        """``{name, value, force?}``."""
        name, value = need_str(req.json, "name"), need_str(req.json, "value")
        force = opt_bool(req.json, "force")
        self._attrs.check_update(name, force)
        topic = _REDIRECTS.get(name)
        if name.startswith(_REDIRECT_PREFIX[0]):
            topic = _REDIRECT_PREFIX[1]
        if topic is not None and not force:
            await self._flux.rpc(topic, {"name": name, "value": value})
        self._attrs.set(name, value)
        return None

    @method("attr.rm")
    def rm(self, req: Message) -> Reply:
        """``{name}``."""
        self._attrs.remove(need_str(req.json, "name"))
        return None
