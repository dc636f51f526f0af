"""Drafts: what a user has typed and not submitted, on disk before anything can be lost."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts in a folder, one file each."""

    folder: Path

    def load(self, name: str) -> str | None:
        """The draft ``name``, or None if there is none.

        :raises OSError: it cannot be read
        """
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def save(self, name: str, text: str) -> None:
        """Keep ``text`` as the draft ``name``; the old one stands until the new one is whole.

        :raises OSError: it cannot be written
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.folder / f".{name}.{os.getpid()}"
        part.write_text(text, encoding="utf-8")
        part.replace(self.folder / name)
