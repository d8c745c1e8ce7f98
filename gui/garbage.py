"""Collects garbage in the window's thread only.

Python's cycle collector runs in whichever thread allocates, and would destroy Qt objects from the
threads that read the engine's pipe: "Timers cannot be stopped from another thread", or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_EVERY_MS = 1000


class GarbageCollector(QObject):
    """Switches the automatic collector off and does its work from a timer."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._was_on = gc.isenabled()

    def start(self) -> None:
        """From now on only this thread collects."""
        self._was_on = gc.isenabled()
        gc.disable()
        self._timer.start(_EVERY_MS)

    def stop(self) -> None:
        """As it was before."""
        self._timer.stop()
        if self._was_on:
            gc.enable()

    def _collect(self) -> None:
        """What the automatic collector would have done: the oldest generation that is full."""
        for generation, (count, limit) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)):
            if count <= limit:
                if generation:
                    gc.collect(generation - 1)
                return
        gc.collect()
