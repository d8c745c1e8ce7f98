"""One MESSAGE for many subscriptions: everything but the subscription is encoded once.

A fan-out writes the same message to many clients, and only ``subscription`` differs. So a message
is kept as a tail, everything behind the subscription line, and each subscription keeps its own
opening, ``MESSAGE`` and the subscription line; a frame is the two joined. Frames of equal openings
are equal, so a hub can keep one per distinct id.
"""

from __future__ import annotations

from collections.abc import Mapping

from .encoder import encode
from .websocket import TEXT, frame_header


def message_opening(subscription: str, ack: str = "") -> bytes:
    """What a MESSAGE for this subscription begins with; made once per subscription.

    Args:
        subscription: Its id.
        ack: With what the message is to be acknowledged, since STOMP 1.2; "" leaves it out.

    Raises:
        LocalProtocolError: An id cannot be written.
    """
    headers = {"subscription": subscription, "ack": ack} if ack else {"subscription": subscription}
    return encode("MESSAGE", headers).removesuffix(b"content-length:0\n\n\0")


class MessageTemplate:
    """A MESSAGE without its subscription.

    Attributes:
        tail: All that follows the subscription line, from the first other header to the NUL.
    """

    __slots__ = ("tail",)

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        """Encode the rest of the frame.

        Args:
            headers: Headers as they are to be written; a ``subscription`` is left out, and
                ``content-length`` is computed.
            body: Raw bytes.

        Raises:
            LocalProtocolError: A header cannot be written.
        """
        if "subscription" in headers:
            headers = {name: value for name, value in headers.items() if name != "subscription"}
        self.tail = encode("MESSAGE", headers, body)[8:]  # the opening has "MESSAGE\n"

    def frame(self, opening: bytes) -> bytes:
        """The whole STOMP frame for a subscription, given its :func:`message_opening`."""
        return opening + self.tail

    def websocket(self, opening: bytes, opcode: int = TEXT) -> bytes:
        """The STOMP frame as one unmasked WebSocket message, ready to be written by a server."""
        tail = self.tail
        return b"".join((frame_header(len(opening) + len(tail), opcode), opening, tail))
