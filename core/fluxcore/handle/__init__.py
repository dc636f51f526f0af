"""The Flux handle: requests, streams, events and services, over any connector.

:mod:`~fluxcore.handle.core` is the protocol without IO. Two shells carry it out:
:class:`fluxcore.handle.aio.Flux` on an asyncio loop, and :class:`fluxcore.handle.blocking.Flux`
for commands, which must not pay for asyncio's import. Nothing is imported here for that reason.
"""
