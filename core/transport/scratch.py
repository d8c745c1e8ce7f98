"""One receive buffer for all connections of a thread.

asyncio's transports allocate 256 KiB for every read of a plain ``Protocol``, which costs more than
all that is done with a short message afterwards. A ``BufferedProtocol`` brings its own buffer; as
its bytes are taken out before the next read, all connections of a thread can share one.
"""

from __future__ import annotations

import threading

_SIZE = 64 * 1024


class _Scratch(threading.local):
    """The buffer of the present thread."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_SIZE))


_SCRATCH = _Scratch()


def scratch() -> memoryview:
    """The present thread's buffer. What is in it is valid until control returns to the loop."""
    return _SCRATCH.view
