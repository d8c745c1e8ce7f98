"""TCP: connections to instances, an answer that breaks off, somebody who is gone without a word."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
import sys
from contextlib import suppress

from ..sockets.descriptors import Descriptors
from .balancing.targets import Target

_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
#: A peer that vanished (a lost machine, a phone out of reach) is found after seven minutes of silence;
#: the system's own default is more than two hours. Names are there where the system knows them.
_PROBES = (("TCP_KEEPIDLE", 300), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


#: No descriptor is left: in this process, or in the whole system.
_SCARCE = (errno.EMFILE, errno.ENFILE)


class Dialler:
    """Makes connections to instances; while descriptors are scarce somebody goes for each.

    Args:
        descriptors: Those of the gateway.
    """

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._tls: ssl.SSLContext | None = None

    async def dial(self, target: Target, protocol: asyncio.Protocol, timeout_s: float | None) -> None:
        """Connect ``protocol`` to an instance.

        Raises:
            OSError: it could not be reached (TimeoutError: in time).
        """
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    await self._connect(target, protocol)
                except OSError as error:
                    if error.errno not in _SCARCE or not self._descriptors.make_room():
                        raise
                    await asyncio.sleep(0)  # whoever was cut is closed in the next turn of the loop
                    await asyncio.sleep(0)
                    await self._connect(target, protocol)
        except (ValueError, OverflowError) as error:  # the registry may say what is no host, or no port
            raise OSError(f"not an address: {error}") from error

    async def _connect(self, target: Target, protocol: asyncio.Protocol) -> None:
        loop, context = asyncio.get_running_loop(), self._context() if target.secure else None
        transport, _ = await loop.create_connection(lambda: protocol, target.host, target.port, ssl=context)
        self._descriptors.dialled(transport)

    def _context(self) -> ssl.SSLContext:
        """For instances that speak TLS: the machine's authorities, or those of ``SSL_CERT_FILE``."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


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
