"""connector-local: the socket that commands, programs and the console connect to (A1-A9)."""

from fluxcore.modules.connector_local.module import ConnectorLocal

__all__ = ["ConnectorLocal"]
