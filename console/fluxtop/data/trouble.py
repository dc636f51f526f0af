"""A failure as the user is told of it: the errno's name and the service's own text."""

import errno
import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be done or followed."""

    errnum: int
    text: str

    @classmethod
    def of(cls, exc: OSError) -> Self:
        """What ``exc`` says."""
        errnum = exc.errno or errno.EINVAL
        return cls(errnum, exc.strerror or str(exc) or os.strerror(errnum))

    @property
    def name(self) -> str:
        """The errno's name, such as ENOENT."""
        return errno.errorcode.get(self.errnum, f"errno {self.errnum}")

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"
