"""The event loop that brokers and their modules run on: uvloop's where it is installed.

It takes about a quarter off a broker's time per message, and is never required.
"""

import asyncio
from collections.abc import Callable

#: Makes one.
new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop
except ImportError:
    new_event_loop = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop
