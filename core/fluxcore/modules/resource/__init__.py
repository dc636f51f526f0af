"""resource: what the instance has, what of it is up, who may have it (CONTRACTS H4-H7)."""

from fluxcore.modules.resource.module import Resource

__all__ = ["Resource"]
