"""Whatever nobody caught: logged, and told to the person once, with details to copy."""

from __future__ import annotations

import logging
import sys
import traceback
from asyncio import AbstractEventLoop
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, Signal

log = logging.getLogger("pushscope.gui")


class CrashReporter(QObject):
    """Catches at ``sys.excepthook`` and at the event loop; ``caught`` carries a traceback."""

    caught = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._before = sys.excepthook

    def install(self, loop: AbstractEventLoop) -> None:
        """Begin to catch."""
        sys.excepthook = self._on_exception
        loop.set_exception_handler(self._on_loop)

    def uninstall(self) -> None:
        """Back to what was there before."""
        sys.excepthook = self._before

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        self._report("".join(traceback.format_exception(kind, error, trace)))

    def _on_loop(self, _loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._report("".join(traceback.format_exception(error)))
        else:
            self._report(str(context.get("message", context)))

    def _report(self, text: str) -> None:
        log.error("uncaught: %s", text)
        self.caught.emit(text)
