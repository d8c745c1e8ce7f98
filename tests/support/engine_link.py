"""An in-process link to the engine double: the window's session driven without a child process."""

from __future__ import annotations

from core.engine.messages import Command, Event
from gui.bridge import EngineLink

from .engine_double import EngineDouble


class DoubleLink(EngineLink):
    """Answers at once; ``advance`` lets the double's time pass in steps of a tenth of a second."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = EngineDouble()
        self.sent: list[Command] = []
        self.started = False

    def start(self) -> None:
        self.started = True

    def send(self, command: Command) -> None:
        self.sent.append(command)
        self.deliver(self.engine.handle(command))

    def shutdown(self, timeout: float) -> bool:
        self.started = False
        return True

    def deliver(self, events: list[Event]) -> None:
        """Hand events over as the bridge would."""
        if events:
            self.received.emit(events)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds * 10)):
            self.deliver(self.engine.advance(0.1))
