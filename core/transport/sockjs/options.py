"""What can be chosen about a SockJS connection."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from ...errors import UsageError
from ..reader import MAX_MESSAGE
from ..websocket import MAX_BACKLOG

SockJsTransport = Literal["websocket", "xhr-streaming", "eventsource", "xhr-polling"]

#: All transports, in the order in which sockjs-client tries them.
TRANSPORTS: Final[tuple[SockJsTransport, ...]] = get_args(SockJsTransport)

#: Seconds for ``/info``.
INFO_TIMEOUT: Final = 8.0


class SockJs(msgspec.Struct, frozen=True):
    """How to connect; what sockjs-client has as options, and what our carriers have.

    Attributes:
        transports: What to try, in this order.
        headers: Further headers of every request.
        least_timeout: Least seconds for each transport; what the round trip suggests may be more.
        info_timeout: Seconds for ``/info``.
        close_timeout: Seconds for what was sent before a close to be taken.
        max_message: Longest frame in bytes; a longer one ends the connection with 1009.
        max_backlog: Unsent bytes at which a peer that does not read is given up.
    """

    transports: tuple[SockJsTransport, ...] = TRANSPORTS
    headers: tuple[tuple[str, str], ...] = ()
    least_timeout: float = 0.0
    info_timeout: float = INFO_TIMEOUT
    close_timeout: float = 5.0
    max_message: int = MAX_MESSAGE
    max_backlog: int = MAX_BACKLOG

    def check(self) -> None:
        """Refuse what is no transport.

        Raises:
            UsageError: Names it.
        """
        for name in self.transports or ("",):
            if name not in TRANSPORTS:
                raise UsageError(
                    f"not a transport of SockJS: {name!r}", hint=f"the transports are {', '.join(TRANSPORTS)}"
                )
