"""How much a peer may make us hold or do."""

from __future__ import annotations

from typing import Final

import msgspec

KIB: Final = 1024
MIB: Final = 1024 * 1024


class Limits(msgspec.Struct, frozen=True):
    """Limits of a parser; each bounds something that the peer decides.

    Attributes:
        max_frame: Bytes of one frame, head and body together, without the closing NUL. It is also
            the limit on buffered bytes: an unfinished frame is all that a parser ever holds. Without
            it a peer that never sends NUL fills our memory. 64 KiB is what Spring allows a client.
        max_body: Bytes of a body. A body may be kept for long (queues, the ring of stages), a head
            never; so it can be held shorter than the frame.
        max_header_line: Bytes of one ``name:value`` line. A JSON Web Token of 8 KiB must pass, a
            megabyte of one header never makes sense and would be decoded to text.
        max_headers: Lines of headers in a frame. Each costs Python objects several times its size,
            so 64 KiB of ``a:`` lines would cost megabytes. RabbitMQ 4 allows 100 as well.
    """

    max_frame: int = 64 * KIB
    max_body: int = 64 * KIB
    max_header_line: int = 16 * KIB
    max_headers: int = 100


#: For connections of clients, who are strangers.
CLIENT_LIMITS: Final = Limits()

#: For links between brokers and instances, where a registry snapshot passes 64 KiB at 470 users.
BROKER_LIMITS: Final = Limits(
    max_frame=16 * MIB, max_body=16 * MIB, max_header_line=64 * KIB, max_headers=256
)
