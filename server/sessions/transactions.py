"""What the open transactions of one client hold back, within bounds.

The bound counts whole frames, heads too, over all transactions of the session: sixteen transactions of
a thousand frames whose heads are as long as they may be would be a gigabyte.
"""

from __future__ import annotations

from typing import Final

from core.protocol import Ack, Nack, Send

from ..messages.refusal import Refusal

#: Frames that one transaction may hold back.
MOST_FRAMES: Final = 1_024
#: Bytes that all transactions of a session may hold back.
MOST_BYTES: Final = 1024 * 1024
#: Transactions that a session may have open.
MOST_OPEN: Final = 16
#: What a frame and a header cost besides their text.
_OVERHEAD: Final = 64

#: A frame that waits for COMMIT.
HeldBack = Send | Ack | Nack


class Transactions:
    """The transactions of one session.

    Attributes:
        size: Bytes that they hold back together.
    """

    __slots__ = ("_open", "size")

    def __init__(self) -> None:
        self.size = 0
        self._open: dict[str, list[HeldBack]] = {}

    def begin(self, id: str) -> None:
        """Open a transaction.

        Raises:
            Refusal: There are too many.
        """
        if len(self._open) >= MOST_OPEN:
            raise Refusal("Bad transaction", f"A session may have {MOST_OPEN} open")
        self._open[id] = []

    def check(self, id: str) -> None:
        """See that a transaction can hold back one more frame.

        Raises:
            Refusal: It was not begun, or holds enough.
        """
        held = self._open.get(id)
        if held is None:
            raise Refusal("Bad transaction", f"Transaction {id!r} was not begun")
        if len(held) >= MOST_FRAMES:
            raise Refusal("Bad transaction", f"Transaction {id!r} holds more than {MOST_FRAMES} frames")

    def hold(self, id: str, event: HeldBack) -> None:
        """Hold back a frame until COMMIT.

        Raises:
            Refusal: The transaction was not begun, or there is too much in it.
        """
        self.check(id)
        self.size += _size(event)
        if self.size > MOST_BYTES:
            raise Refusal("Bad transaction", "The transactions of a session hold more than 1 MiB")
        self._open[id].append(event)

    def end(self, id: str) -> list[HeldBack]:
        """Close a transaction; returns what it held back, in order."""
        held = self._open.pop(id, [])
        self.size -= sum(_size(event) for event in held)
        return held


def _size(event: HeldBack) -> int:
    frame = event.frame
    head = sum(len(name) + len(value) + _OVERHEAD for name, value in frame.headers.items())
    return _OVERHEAD + head + len(frame.body)
