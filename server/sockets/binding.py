"""Binds the sockets that roles listen on; apart from the listener, because that loads an HTTP server."""

from __future__ import annotations

import errno
import socket
from typing import Final

from core.errors import ClusterStartError, PortTakenError, UsageError
from core.reasons import reason_of

#: Connections that may wait to be accepted.
BACKLOG: Final = 2048
#: Connections that asyncio accepts in one turn: each is a descriptor before its protocol hears of it.
AT_ONCE: Final = 4


def bind_socket(host: str, port: int) -> socket.socket:
    """Bind and return a TCP socket; port 0 picks a free one.

    Raises:
        UsageError: there is no such port.
        PortTakenError: somebody listens there already.
        ClusterStartError: the address is not one of this machine, or not allowed.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(
            f"there is no port {port}",
            tried=f"listen on {host}:{port}",
            hint="1 to 65535, or 0 for a free one",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # create_server sets SO_REUSEADDR where it means "forget TIME_WAIT", and not on Windows,
        # where it would mean "share the port".
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)):
            raise PortTakenError(port, host=host) from error
        raise ClusterStartError(
            f"cannot listen on {host}:{port}: {reason_of(error)}",
            tried=f"listen on {host}:{port}",
            hint="give an address of this machine and a port above 1023",
        ) from error
    # Accepted connections inherit it. asyncio sets it only on sockets that say they are TCP, which these
    # do not; without it an answer written in two pieces waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
