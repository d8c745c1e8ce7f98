"""A client's connection that remembers."""

from __future__ import annotations

from server.messages.framing import split_websocket_frames


class RecordingCarrier:
    """Remembers what was written and whether it was closed."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closes: list[tuple[int, str]] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))

    @property
    def payloads(self) -> list[bytes]:
        return [payload for data in self.writes for payload, _ in split_websocket_frames(data)]
