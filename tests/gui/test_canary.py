"""Known faults of the binding, watched for."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication


def test_calls_that_return_none_keep_their_reference_count(app: QApplication) -> None:
    """PySide6 6.12.0 on Python 3.11 drops one reference too many to None with each such call.

    A program with a Qt event loop then aborts within seconds ("none_dealloc").
    """
    target = QObject()
    timers = [target.startTimer(100_000) for _ in range(1000)]
    before = sys.getrefcount(None)
    for timer in timers:
        target.killTimer(timer)
    assert sys.getrefcount(None) > before - 500
