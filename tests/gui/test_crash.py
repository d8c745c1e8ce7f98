"""Errors that nobody caught."""

from __future__ import annotations

import asyncio
import sys

from PySide6.QtWidgets import QApplication

from core.engine.messages import Problem
from gui.crash import CrashReporter
from gui.session import Session
from gui.window import MainWindow


def test_what_nobody_caught_is_told_from_both_places(app: QApplication) -> None:
    loop = asyncio.new_event_loop()
    before = sys.excepthook
    reporter = CrashReporter()
    told: list[str] = []
    reporter.caught.connect(told.append)
    reporter.install(loop)
    try:
        try:
            raise RuntimeError("in a slot")
        except RuntimeError as error:
            sys.excepthook(RuntimeError, error, error.__traceback__)
        loop.call_exception_handler({"exception": ValueError("in a task")})
        loop.call_exception_handler({"message": "without an exception"})
    finally:
        reporter.uninstall()
        loop.close()
    assert sys.excepthook is before
    assert "RuntimeError: in a slot" in told[0]
    assert "ValueError: in a task" in told[1]
    assert told[2] == "without an exception"


def test_a_crash_is_one_banner_with_details_to_copy(window: MainWindow, session: Session) -> None:
    session.problem.emit(Problem("crash", "ValueError: in a task\n\nTraceback"))
    assert window.banner.title == "The window ran into an error"
    assert "ValueError" in window.banner.detail
