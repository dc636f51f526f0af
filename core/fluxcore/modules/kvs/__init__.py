"""kvs: the key-value store over the content service (RFC 11, CONTRACTS C1-C7, C11)."""

from fluxcore.modules.kvs.module import Kvs

__all__ = ["Kvs"]
