"""console.py: seconds from the start of fluxtop, in a terminal of 120x40, to its first full paint.

Full means that the rows of the modules and the keys of the store are there, not just frames.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path

_WANTED = (b"heartbeat", b"resource", b"full")
_TIMEOUT = 20.0

pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
    program = str(Path(sys.executable).parent / "fluxtop")
    os.execv(program, [program])
started = time.perf_counter()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
screen = b""
while not all(word in screen for word in _WANTED):
    if time.perf_counter() - started > _TIMEOUT:
        sys.exit(f"no full paint in {_TIMEOUT} s")
    ready, _, _ = select.select([terminal], [], [], 1.0)
    if ready:
        screen += os.read(terminal, 65536)
painted = time.perf_counter() - started
os.write(terminal, b"Q")
while True:
    try:
        if not os.read(terminal, 65536):
            break
    except OSError:
        break
os.waitpid(pid, 0)
print(painted)
