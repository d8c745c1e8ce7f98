"""Starts the window: application, event loop, engine, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import cast

os.environ["QT_API"] = "pyside6"  # qasync takes the binding that is named, not the first that it finds

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop  # pyright: ignore[reportMissingTypeStubs]

from core.engine.messages import Problem
from core.launch import self_command

from .bridge import EngineLink, EngineProcess
from .context import Context
from .crash import CrashReporter
from .garbage import GarbageCollector
from .i18n import Languages
from .session import Session
from .settings import Settings
from .theme import Theme
from .window import MainWindow

log = logging.getLogger("pushscope.gui")

#: Seconds that engine and cluster have for an orderly end; then the engine is killed, and its
#: children end by their own lifelines.
SHUTDOWN_SECONDS = 5.0


def engine_process() -> EngineLink:
    """A link to a new engine in a child process."""
    return EngineProcess(self_command("engine"))


class Desktop(QObject):
    """Everything that lives as long as the program: theme, languages, session, window."""

    def __init__(
        self,
        app: QApplication,
        settings: Settings,
        make_link: Callable[[], EngineLink] = engine_process,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.languages = Languages(app, settings.language)
        self.theme = Theme(app, settings.theme)
        self.session = Session(make_link, settings)
        self.context = Context(self.session, self.theme, settings)
        self.window = MainWindow(self.context, self.languages)
        self._garbage = GarbageCollector(self)
        self._closing = asyncio.Event()
        self.window.close_asked.connect(self.close)

    def show(self) -> None:
        """Show the window and start the engine behind it, so that a click does not wait for it."""
        self._garbage.start()
        self.window.show()
        self.session.open_engine()

    def close(self) -> None:
        """Begin the end; :meth:`closed` returns when it is over."""
        self._closing.set()

    async def closed(self) -> None:
        """Wait until the window was asked to close, then stop engine and cluster in order."""
        await self._closing.wait()
        self.context.stop()
        in_time = await asyncio.to_thread(self.session.close_engine, SHUTDOWN_SECONDS)
        if not in_time:
            log.warning("the engine did not end within %g s and was killed", SHUTDOWN_SECONDS)
        self._garbage.stop()
        self.window.allow_close = True
        self.window.close()

    def show_crash(self, trace: str) -> None:
        """Tell of an error in the window itself."""
        last = trace.strip().rpartition("\n")[2]
        self.session.problem.emit(Problem("crash", f"{last}\n\n{trace[-1500:]}"))


def make_application(arguments: list[str]) -> QApplication:
    """The one QApplication, named, and not ended by the last window's closing."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(arguments)
    app.setApplicationName("Pushscope")
    app.setOrganizationName("Pushscope")
    app.setDesktopFileName("pushscope")
    app.setQuitOnLastWindowClosed(False)  # the engine is stopped first
    return app


def event_loop(app: QApplication) -> QEventLoop:
    """The loop in which asyncio and Qt run together, set as the current one."""
    loop = QEventLoop(app)
    asyncio.set_event_loop(loop)
    return loop


def run_window(*, start_demo: bool) -> int:
    """Open the window and run until it is closed; with ``start_demo`` the demo starts by itself."""
    app = make_application(sys.argv[:1])
    loop = event_loop(app)
    crashes = CrashReporter()
    crashes.install(loop)
    try:
        with loop:
            cast(asyncio.AbstractEventLoop, loop).run_until_complete(
                _main(app, crashes, start_demo=start_demo)
            )
    finally:
        crashes.uninstall()
    return 0


async def _main(app: QApplication, crashes: CrashReporter, *, start_demo: bool) -> None:
    desktop = Desktop(app, Settings())
    crashes.caught.connect(desktop.show_crash)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(
            NotImplementedError, ValueError, RuntimeError
        ):  # Windows, or not the main thread
            loop.add_signal_handler(number, desktop.close)
    desktop.show()
    if start_demo:
        desktop.session.start()
    await desktop.closed()
