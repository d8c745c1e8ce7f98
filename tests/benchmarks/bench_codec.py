"""STOMP codec: ours, limits on, beside stomp.py's.

stomp.py is measured in two ways. *Frame only* is kind to it: the bytes of exactly one frame go into
``parse_frame``, or a ready ``Frame`` through ``convert_frame`` and ``pack``, without looking for the
frame's end, without escaping. *As it works* is what its connection really does: the receive loop
that splits the buffer, or the escaping protocol of STOMP 1.2 before. The bars hold for the first.
Ours is always the whole: bytes of a socket in, checked frames out, and escaped bytes out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from stomp import utils as stomp_utils
from stomp.protocol import Protocol12
from stomp.transport import BaseTransport

from core.protocol import (
    Frame,
    MessageTemplate,
    ServerSession,
    StompParser,
    encode,
    message_opening,
    server_frame,
)

from .measuring import Figures, interleave
from .report import Row, at_least_times

#: A MESSAGE as a user receives it: 180 bytes.
HEADERS = {
    "destination": "/user/topic/greetings",
    "message-id": "T_sub-0@@session-Gi-J@@3",
    "ps-id": "run1.i1.user12.345",
    "content-type": "application/json",
}
BODY = b'{"a":"b"}'
MESSAGE = encode("MESSAGE", {"subscription": "sub-0", **HEADERS}, BODY)
#: The same with an escape in it, which leaves the fast way.
ESCAPED = encode("MESSAGE", {"subscription": "sub-0", **HEADERS, "message-id": "T_sub-0:session:3"}, BODY)
SEND = encode("SEND", {"destination": "/app/hello"}, b"ssss")
BATCH = 32

_stomp: Any = stomp_utils


class _CannedTransport(BaseTransport):
    """stomp.py's own receive path on bytes that are already here."""

    def __init__(self) -> None:
        super().__init__()
        self.running = True
        self.blocking = True
        self.data = b""
        self.seen = 0

    def receive(self) -> bytes:
        return self.data

    def process_frame(self, f: Any, frame_str: bytes) -> None:
        self.seen += 1

    def take(self, data: bytes) -> None:
        self.data = data
        cast("Any", self)._BaseTransport__read_frames()


def main(rounds: int, quick: bool) -> Iterator[Row]:
    """Yield the codec's figures: microseconds of CPU for a frame."""
    count = 5_000 if quick else 30_000
    parse = _medians(rounds, count, _parsers())
    section = f"STOMP parse, a MESSAGE of {len(MESSAGE)} bytes, limits on"
    kind, whole = parse["stomp.py, frame only"], parse["stomp.py, as it works"]
    ours = parse["ours"]
    yield at_least_times(section, "ours beside stomp.py, frame only", ours, "µs CPU", kind, 3)
    yield at_least_times(section, "ours beside stomp.py, as it works", ours, "µs CPU", whole, 3)
    for name in ("ours, 32 in a chunk", "ours, with escapes", "ours, in two chunks", "ours, session"):
        yield Row(section, name, parse[name], "µs CPU")

    written = _medians(rounds, count, _encoders())
    section = f"STOMP encode, a MESSAGE of {len(MESSAGE)} bytes"
    kind, whole = written["stomp.py, frame only"], written["stomp.py, as it works"]
    ours = written["ours"]
    yield at_least_times(section, "ours beside stomp.py, frame only", ours, "µs CPU", kind, 2)
    yield at_least_times(section, "ours beside stomp.py, as it works", ours, "µs CPU", whole, 2)
    yield Row(section, "ours, with escapes", written["ours, with escapes"], "µs CPU")
    yield Row(section, "fan-out: one more subscription", written["fan-out"], "µs CPU")
    yield Row(section, "the same as a WebSocket message", written["fan-out, websocket"], "µs CPU")
    yield Row(section, "WebSocket header and payload", written["websocket"], "µs CPU")


def _medians(
    rounds: int, count: int, candidates: dict[str, tuple[Callable[[], object], int]]
) -> dict[str, float]:
    def timed(work: Callable[[], object], frames: int) -> Callable[[], Figures]:
        def once() -> Figures:
            turns = count // frames
            begun = time.process_time()
            for _ in range(turns):
                work()
            return {"us": (time.process_time() - begun) / (turns * frames) * 1e6}

        return once

    found = interleave(rounds, {name: timed(*candidate) for name, candidate in candidates.items()})
    return {name: figures["us"] for name, figures in found.items()}


def _parsers() -> dict[str, tuple[Callable[[], object], int]]:
    parser = StompParser()
    canned = _CannedTransport()
    batch = MESSAGE * BATCH
    half = len(MESSAGE) // 2
    first, second = MESSAGE[:half], MESSAGE[half:]
    frame_only = MESSAGE[:-1]
    session = ServerSession(session_id="1", server_name="bench")
    session.receive(encode("CONNECT", {"accept-version": "1.2"}), 0.0)
    session.connected()

    def two_chunks() -> None:
        parser.feed(first)
        parser.feed(second)

    return {
        "ours": (lambda: parser.feed(MESSAGE), 1),
        "ours, 32 in a chunk": (lambda: parser.feed(batch), BATCH),
        "ours, with escapes": (lambda: parser.feed(ESCAPED), 1),
        "ours, in two chunks": (two_chunks, 1),
        "ours, session": (lambda: session.receive(SEND, 1.0), 1),
        "stomp.py, frame only": (lambda: _stomp.parse_frame(frame_only), 1),
        "stomp.py, as it works": (lambda: canned.take(MESSAGE), 1),
    }


def _encoders() -> dict[str, tuple[Callable[[], object], int]]:
    frame = Frame("MESSAGE", {"subscription": "sub-0", **HEADERS}, BODY)
    escaped = {**frame.headers, "message-id": "T_sub-0:session:3"}
    template = MessageTemplate(HEADERS, BODY)
    opening = message_opening("sub-0")
    protocol: Any = Protocol12(_CannedTransport())
    ready = _stomp.Frame("MESSAGE", {**frame.headers, "content-length": len(BODY)}, BODY)

    def stomp_as_it_works() -> bytes:
        headers = {**frame.headers, "content-length": len(BODY)}
        protocol._escape_headers(headers)
        return _stomp.pack(_stomp.convert_frame(_stomp.Frame("MESSAGE", headers, BODY)))

    return {
        "ours": (lambda: encode(frame.command, frame.headers, BODY), 1),
        "ours, with escapes": (lambda: encode("MESSAGE", escaped, BODY), 1),
        "fan-out": (lambda: template.frame(opening), 1),
        "fan-out, websocket": (lambda: template.websocket(opening), 1),
        "websocket": (lambda: server_frame(MESSAGE), 1),
        "stomp.py, frame only": (lambda: _stomp.pack(_stomp.convert_frame(ready)), 1),
        "stomp.py, as it works": (stomp_as_it_works, 1),
    }
