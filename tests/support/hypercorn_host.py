"""An ASGI application under hypercorn, in the loop of a test.

Hypercorn and FastAPI are there for development only: without them these tests skip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from server.sockets.binding import bind_socket

#: Marks what needs them.
needs_hypercorn = pytest.mark.skipif(
    find_spec("hypercorn") is None, reason="hypercorn missing: pip install 'pushscope[dev]'"
)
needs_fastapi = pytest.mark.skipif(
    find_spec("fastapi") is None, reason="fastapi missing: pip install 'pushscope[dev]'"
)
#: The server as one of the values of a parameter.
HYPERCORN = pytest.param("hypercorn", marks=needs_hypercorn)


@asynccontextmanager
async def hypercorn(app: Any, *, grace_s: float = 1.0, root_path: str = "") -> AsyncGenerator[str]:
    """Serve an application; yields its base URL."""
    from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
    from hypercorn.config import Config

    sock = bind_socket("127.0.0.1", 0)
    port = sock.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{sock.fileno()}"]
    config.graceful_timeout = grace_s
    config.root_path = root_path
    config.accesslog = config.errorlog = None
    leave = asyncio.Event()

    async def left() -> None:
        await leave.wait()

    task = asyncio.create_task(serve(app, config, shutdown_trigger=left))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        leave.set()
        await task
        sock.detach()  # hypercorn closed it
