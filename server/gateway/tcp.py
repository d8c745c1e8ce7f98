"""TCP: connections to instances, an answer that breaks off, somebody who is gone without a word."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

from .balancing.targets import Target

_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
#: A peer that vanished (a lost machine, a phone out of reach) is found after seven minutes of silence;
#: the system's own default is more than two hours. Names are there where the system knows them.
_PROBES = (("TCP_KEEPIDLE", 300), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


async def dial(
    target: Target, protocol: asyncio.Protocol, tls: Callable[[], ssl.SSLContext], timeout_s: float | None
) -> None:
    """Connect ``protocol`` to an instance; ``tls`` gives the context for one that speaks TLS.

    Raises:
        OSError: it could not be reached (TimeoutError: in time).
    """
    loop, context = asyncio.get_running_loop(), tls() if target.secure else None
    try:
        async with asyncio.timeout(timeout_s):
            await loop.create_connection(lambda: protocol, target.host, target.port, ssl=context)
    except (ValueError, OverflowError) as error:  # the registry may say what is no host, or no port
        raise OSError(f"not an address: {error}") from error


def reset(transport: asyncio.Transport) -> None:
    """Close so that the peer sees an error, not an end."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def notice_death(transport: asyncio.Transport) -> None:
    """Let the system find out if the peer is there no more, although nothing is sent to it."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    with suppress(OSError, ValueError):  # it is gone already; uvloop says ValueError
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES:
            option = getattr(socket, name, None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
