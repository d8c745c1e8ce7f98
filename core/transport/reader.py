"""Messages out of the bytes of a WebSocket server, at the price of a slice (RFC 6455 §5).

Nearly all that a simulated user receives are whole, unmasked, unfragmented data frames. Those are
cut out here. Every other frame (fragments, control frames, compressed or broken ones) is handed,
whole, to websockets' sans-IO protocol, which exists only while it is needed: an idle connection
keeps no parser, and memory per connection stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from websockets.extensions import Extension
from websockets.frames import BINARY, CONT, TEXT, Frame
from websockets.protocol import OPEN, Protocol, Side

#: First byte of a final text and of a final binary frame without extension bits (RFC 6455 §5.2).
_BINARY: Final = 0x82
_WHOLE: Final = (0x81, _BINARY)

#: Default limit of one message; a registry snapshot of thousands of users fits.
MAX_MESSAGE: Final = 16 * 1024 * 1024


class MessageReader:
    """The receiving half of one client connection: bytes in, messages out.

    Any split of the same bytes gives the same messages. Frames to be sent in answer (pong, close)
    gather in ``output``; the owner writes and clears it after each call. Messages are ``bytes``;
    text messages are checked to be UTF-8 (RFC 6455 §8.1).

    Attributes:
        output: Bytes to send now.
        closing: True once a close frame was sent or received, or the peer broke the protocol;
            nothing that follows is read.
        close_code, close_reason: Of the peer's close frame; None and "" without one.
        failure: How the peer broke the protocol, or "".
        failure_code: The code we closed with because of that, or 0.
    """

    __slots__ = (
        "_deaf",
        "_extensions",
        "_fragments",
        "_max",
        "_need",
        "_protocol",
        "_tail",
        "_text",
        "close_code",
        "close_reason",
        "closing",
        "failure",
        "failure_code",
        "output",
    )

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.output: bytes = b""
        self.closing = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.failure = ""
        self.failure_code = 0
        self._max = max_message
        self._extensions: Sequence[Extension] = ()
        self._protocol: Protocol | None = None
        self._tail: bytearray | None = None
        self._need = 0
        self._deaf = False  # nothing is read after a close frame or a failure (RFC 6455 §7.1.7)
        self._fragments: list[bytes] | None = None
        self._text = False

    def extend(self, extensions: Sequence[Extension]) -> None:
        """Use what the handshake negotiated; before the first byte. All frames then take the
        long way."""
        if extensions:
            self._extensions = extensions
            self._protocol = self._new_protocol()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what the network brought; return the messages that are complete now."""
        if self._tail is not None:
            self._tail += data
            if len(self._tail) < self._need:
                return []
            data = bytes(self._tail)
            self._tail = None
        messages: list[bytes] = []
        size = len(data)
        position = 0
        while position + 2 <= size and not self._deaf:
            start = position + 2
            length = data[position + 1]
            if length >= 126:
                start, length = self._long_header(data, position)
            end = start + length
            if end > size:
                break
            head = data[position]
            if head in _WHOLE and self._protocol is None and length >= 0:
                message = data[start:end]
                if message.isascii() or head == _BINARY or self._is_utf8(message):
                    messages.append(message)
            else:
                self._other_frame(data[position : end if length >= 0 else start], messages)
            position = end
        if position < size and not self._deaf:
            self._keep(data[position:])
        return messages

    def start_close(self, code: int, reason: str) -> None:
        """Put a close frame into ``output``; harmless if one was sent or received before."""
        protocol = self._slow()
        if protocol.state is OPEN:
            protocol.send_close(code, reason)
        self._after(protocol)

    def encode(self, data: bytes) -> bytes:
        """One message as a masked frame: text where the bytes are ASCII or UTF-8 (STOMP is sent
        as text by every browser client), else binary."""
        opcode = TEXT if data.isascii() or _utf8(data) else BINARY
        return Frame(opcode, data).serialize(mask=True, extensions=self._extensions)

    def _long_header(self, data: bytes, position: int) -> tuple[int, int]:
        """Start and length of a payload whose second byte says more than seven bits.

        The length is -1 if the header alone breaks a rule: a mask, which servers must not use
        (RFC 6455 §5.1), or a message beyond the limit, of which nothing is to be kept.
        """
        second = data[position + 1]
        if second > 127:
            return position + 2, -1
        start = position + 2 + (2 if second == 126 else 8)
        if start > len(data):
            return start, 0
        length = int.from_bytes(data[position + 2 : start], "big")
        return start, length if length <= self._max else -1

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a frame, and how many bytes it needs before another look."""
        self._tail = bytearray(rest)
        self._need = 2
        if len(rest) >= 2:
            start, length = (2, rest[1]) if rest[1] < 126 else self._long_header(rest, 0)
            self._need = start + length

    def _other_frame(self, frame: bytes, messages: list[bytes]) -> None:
        """Let websockets judge one whole frame, and gather what came of it."""
        protocol = self._slow()
        protocol.receive_data(frame)
        for event in protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is TEXT or event.opcode is BINARY:
                self._text = event.opcode is TEXT
                self._fragments = []
            elif event.opcode is not CONT:
                continue
            fragments = self._fragments
            if fragments is None:
                continue
            fragments.append(bytes(event.data))
            if event.fin:
                self._fragments = None
                message = fragments[0] if len(fragments) == 1 else b"".join(fragments)
                if not self._text or self._is_utf8(message):
                    messages.append(message)
        self._after(protocol)

    def _slow(self) -> Protocol:
        if self._protocol is None:
            self._protocol = self._new_protocol()
        return self._protocol

    def _new_protocol(self) -> Protocol:
        protocol = Protocol(Side.CLIENT, state=OPEN, max_size=self._max)
        protocol.extensions = list(self._extensions)
        return protocol

    def _after(self, protocol: Protocol) -> None:
        """Collect output and state; let go of the protocol when it holds no state of its own."""
        self.output += b"".join(protocol.data_to_send())
        if protocol.state is OPEN:
            if protocol.current_size is None and not self._extensions:
                self._protocol = None
            return
        self.closing = True
        if protocol.close_rcvd is not None:
            self.close_code = int(protocol.close_rcvd.code)
            self.close_reason = protocol.close_rcvd.reason
            self._deaf = True
        if protocol.parser_exc is not None and not self.failure:
            self.failure = str(protocol.parser_exc) or type(protocol.parser_exc).__name__
            self._deaf = True
            if protocol.close_sent is not None:
                self.failure_code = int(protocol.close_sent.code)

    def _is_utf8(self, message: bytes) -> bool:
        if _utf8(message):
            return True
        protocol = self._slow()
        protocol.fail(1007, "text message is not UTF-8")
        self.failure = "text message is not UTF-8"
        self.failure_code = 1007
        self._deaf = True
        self._after(protocol)
        return False


def _utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
