"""Terminal colours."""

from typing import Final

RESET: Final = "\x1b[0m"
BOLD: Final = "\x1b[1m"
REVERSE: Final = "\x1b[7m"
RED: Final = "\x1b[31m"
GREEN: Final = "\x1b[32m"
YELLOW: Final = "\x1b[33m"
BLUE: Final = "\x1b[34m"
BOLD_BLUE: Final = "\x1b[01;34m"
DARK_GRAY: Final = "\x1b[90m"
DEFAULT: Final = "\x1b[39m"
