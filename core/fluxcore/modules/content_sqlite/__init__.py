"""content-sqlite: the backing store of the content service in SQLite (CONTRACTS C20)."""

from fluxcore.modules.content_sqlite.module import ContentSqlite

__all__ = ["ContentSqlite"]
