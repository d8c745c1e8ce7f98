"""What a fresh parser makes of some bytes."""

from __future__ import annotations

from core.errors import CloseCode
from core.protocol import Frame, Heartbeat, Limits, Malformed, StompParser

Event = Frame | Heartbeat | Malformed


def parse(*chunks: bytes, limits: Limits | None = None) -> list[Event]:
    """Everything that a fresh parser makes of these chunks."""
    parser = StompParser(limits or Limits())
    return [event for chunk in chunks for event in parser.feed(chunk)]


def parse_one(wire: bytes) -> Frame:
    """The one frame of these bytes."""
    [event] = parse(wire)
    assert isinstance(event, Frame)
    return event


def fault(*chunks: bytes, limits: Limits | None = None) -> str:
    """Text of the fault that these chunks are, alone."""
    [event] = parse(*chunks, limits=limits)
    assert isinstance(event, Malformed)
    assert event.error.close_code == CloseCode.PROTOCOL_ERROR
    return str(event.error)
