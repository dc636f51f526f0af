"""kvs-watch: telling of changes of keys (CONTRACTS C9, C10)."""

from fluxcore.modules.kvs_watch.module import KvsWatch

__all__ = ["KvsWatch"]
