"""``pushscope sockjs-test``: the services that SockJS clients and test suites are tried against."""

from __future__ import annotations

import asyncio
import functools
from typing import Annotated

import typer

from core.errors import PortTakenError

from .output import say

#: Where the protocol's own test suite looks for them.
PORT = 8081


def sockjs_test(
    port: Annotated[
        int | None, typer.Option(help=f"{PORT}, or a free one if that is taken; 0 picks a free one.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    max_frame: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            min=1,
            help="Bytes of one message inside SockJS's framing; as many as --max-message by default.",
        ),
    ] = None,
    max_message: Annotated[
        int,
        typer.Option(
            metavar="BYTES",
            min=1024,
            help="Bytes of one WebSocket message or posted body, 256 KiB by default.",
        ),
    ] = 262144,
) -> int:
    """Run SockJS test services until Ctrl-C.

    /echo, /close, /disabled_websocket_echo and /cookie_needed_echo, as the protocol's test suite wants
    them. They answer anybody and are no part of a cluster.
    """
    return asyncio.run(_serve(host, port, max_frame, max_message))


async def _serve(host: str, port: int | None, max_frame: int | None, max_message: int) -> int:
    from core.signals import on_stop_signals
    from server.sockjs.suite import SuiteServer

    stopping = asyncio.Event()
    on_stop_signals(stopping.set)
    make = functools.partial(SuiteServer, host, max_frame=max_frame, max_message=max_message)
    try:
        server = await make(PORT if port is None else port).__aenter__()
    except PortTakenError:
        if port is not None:
            raise
        say(f"port {PORT} is taken: a free one instead", err=True)
        server = await make(0).__aenter__()
    try:
        say(f"SockJS test services at {server.url}; Ctrl-C stops them")
        for prefix in server.prefixes:
            say(f"  {server.url}{prefix}")
        await stopping.wait()
    finally:
        await server.__aexit__(None, None, None)
    return 0
