"""content: blobs by their digest, on every rank (RFC 10, CONTRACTS C17-C19)."""

from fluxcore.modules.content.module import Content

__all__ = ["Content"]
