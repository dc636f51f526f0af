"""Modules for a test to write and load, and the calls that load them."""

from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux

#: The fixture ``write_module``: a file with one Module class, as its path.
WriteModule = Callable[..., str]
#: A process takes some tenths of a second to start Python.
PLACEMENTS = ["loop", "thread", pytest.param("process", marks=pytest.mark.slow)]
every_placement = pytest.mark.parametrize("placement", PLACEMENTS)
#: What answers, and fails as its arguments tell.
ECHO = """
    services = ("parrot",)

    async def start(self):
        self.heard = []
        for arg in self.args:
            name, _, value = arg.partition("=")
            if name == "errno":
                raise rpc_error(int(value), "as told")
            if name == "fault":
                raise ValueError("as told")

    async def stop(self):
        if "stop=slow" in self.args:
            await asyncio.sleep(0.001)
        if "stop=fault" in self.args:
            raise ValueError("as told")

    @method("echo.say", role=ROLE_USER)
    def say(self, req):
        return req.json

    @method("parrot.say")
    def parrot(self, req):
        return {"args": list(self.args), "rank": self.rank, "size": self.size, "pid": os.getpid()}

    @method("echo.ask")
    async def ask(self, req):
        answer = await self.flux.rpc("echo.say", {"again": req.json["n"]})
        return answer.json

    @method("echo.never")
    def never(self, req):
        return DEFERRED

    @method("echo.odd")
    def odd(self, req):
        return {"a": object()}

    @method("echo.die")
    def die(self, req):
        self.quit(rpc_error(errno.EDOM, "as told") if req.json["errnum"] else None)
        return DEFERRED

    @method("echo.heard")
    def tell(self, req):
        return {"heard": self.heard}

    @on_event("echo-test.")
    def hear(self, event):
        self.heard.append(event.topic)
"""


async def load(flux: Flux, path: str, *args: str, **more: Any) -> None:
    await flux.rpc("module.load", {"path": path, "args": list(args), **more})


async def remove(flux: Flux, name: str, **more: Any) -> None:
    await flux.rpc("module.remove", {"name": name, **more})


async def listed(flux: Flux) -> dict[str, dict[str, Any]]:
    answer = await flux.rpc("module.list")
    return {entry["name"]: entry for entry in answer.json["mods"]}
