"""WebSocket frames of a server, read back by the websockets library."""

from __future__ import annotations

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from core.protocol.websocket import BINARY, PING, TEXT, close_frame, control_frame, frame_header, server_frame


def read(data: bytes) -> tuple[Opcode, bytes]:
    protocol = Protocol(CLIENT, max_size=None)
    protocol.receive_data(data)
    [frame] = protocol.events_received()
    return frame.opcode, bytes(frame.data)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
@pytest.mark.parametrize(("opcode", "expected"), [(TEXT, Opcode.TEXT), (BINARY, Opcode.BINARY)])
def test_messages_of_any_length(size: int, opcode: int, expected: Opcode) -> None:
    payload = b"x" * size
    assert read(server_frame(payload, opcode)) == (expected, payload)
    assert server_frame(payload, opcode) == frame_header(size, opcode) + payload


def test_close() -> None:
    assert read(close_frame(1002, "reason")) == (Opcode.CLOSE, b"\x03\xeareason")
    long = close_frame(1002, "ä" * 100)
    assert len(long) == 2 + 2 + 122  # 61 whole characters
    assert read(long)[1][2:].decode() == "ä" * 61


def test_control_frames() -> None:
    assert read(control_frame(PING, b"abc")) == (Opcode.PING, b"abc")
    with pytest.raises(ValueError, match="125"):
        control_frame(PING, b"x" * 126)
