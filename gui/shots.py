"""Takes the pictures of the README: the real window, the real demo, real processes.

Fixed size, fixed themes; the figures are what was measured while it ran.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from core.engine.messages import Problem
from core.errors import UsageError

from .app import Desktop, event_loop, make_application
from .settings import Settings

log = logging.getLogger("pushscope.shots")

SIZE = (1440, 900)

#: Seconds of running before the first picture, so that the one-minute window is well filled.
_FILL = 42.0


class Photographer:
    """Drives a desktop through the demo and takes pictures on the way."""

    def __init__(self, desktop: Desktop, out: Path) -> None:
        self._desktop = desktop
        self._window = desktop.window
        self._session = desktop.session
        self._out = out
        self.taken: list[Path] = []
        desktop.session.problem.connect(self._on_problem)

    async def take_all(self) -> None:
        """The whole tour; raises TimeoutError if the demo does not get there."""
        self._window.resize(*SIZE)
        self._desktop.show()
        await self._shot("start")
        await self._start()
        run = self._session.run
        await self._until(lambda: run.run_seconds >= _FILL, 120)
        await self._shot("latency-light", view="latency")
        self._desktop.theme.set_mode("dark")
        await self._shot("latency-dark")
        self._desktop.theme.set_mode("light")
        await self._push()
        await self._shot("push", view="push")
        await self._shot("users", view="users")
        await self._shot("cluster", view="cluster")
        await self._kill("i2")
        await self._shot("latency-kill", view="latency")
        await self._shot("matrix", view="matrix")
        await self._shot("cluster-dark", view="cluster", theme="dark")
        self._desktop.theme.set_mode("light")
        self._desktop.languages.set_language("zh_CN")
        await self._shot("latency-zh", view="latency")
        await self._shot("start-zh", view="start")

    def _on_problem(self, problem: Problem) -> None:
        log.error("%s: %s (tried: %s)", problem.code, problem.detail, problem.tried)

    async def _start(self) -> None:
        began = time.monotonic()
        first: list[float] = []
        self._session.first_point.connect(first.append)
        self._window.start.start.click()
        await self._until(lambda: self._session.run.cluster == "starting", 20)
        await self._shot("starting", settle=0.5)
        await self._until(lambda: bool(first), 60)
        log.info("first point %.2f s after the click", time.monotonic() - began)

    async def _push(self) -> None:
        push, session = self._window.push, self._session
        self._window.go_to("push")
        push.refresh()
        for number in range(6):
            push.via.setCurrentIndex(number % 3 + 1)
            push.to.setCurrentIndex(number + 16)
            push.push()
            await asyncio.sleep(0.3)
        pushes = session.pushes
        await self._until(lambda: all(row.verdict != "waiting" for row in pushes.rows()), 20)

    async def _kill(self, instance: str) -> None:
        session = self._session
        users = session.users
        session.control("kill", instance)
        await self._until(lambda: any(m.kind == "kill" for m in session.series.markers), 20)

        def back() -> bool:
            counts = users.per_instance()
            return counts[instance] == 0 and sum(counts.values()) == users.total

        await self._until(back, 60)
        await asyncio.sleep(9)

    async def _shot(self, name: str, *, view: str = "", theme: str = "", settle: float = 0.6) -> None:
        if view:
            self._window.go_to(view)
        if theme in ("light", "dark"):
            self._desktop.theme.set_mode("dark" if theme == "dark" else "light")
        await asyncio.sleep(settle)
        path = self._out / f"{name}.png"
        if not self._window.grab().save(str(path)):
            raise UsageError(f"cannot write {path}", hint="make room, or give another folder")
        self.taken.append(path)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110 - what is waited for is what the window shows
                await asyncio.sleep(0.02)


def take_shots(out: Path) -> list[Path]:
    """Run the demo in the window and write the pictures into ``out``; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    app = make_application(sys.argv[:1])
    loop = event_loop(app)
    with tempfile.TemporaryDirectory() as folder:
        store = QSettings(str(Path(folder) / "shots.ini"), QSettings.Format.IniFormat)
        settings = Settings(store)
        settings.theme, settings.language = "light", "en"
        with loop:
            return cast(asyncio.AbstractEventLoop, loop).run_until_complete(_tour(app, settings, out))


async def _tour(app: QApplication, settings: Settings, out: Path) -> list[Path]:
    desktop = Desktop(app, settings)
    photographer = Photographer(desktop, out)
    try:
        await photographer.take_all()
    finally:
        desktop.window.close()
        await desktop.closed()
    return photographer.taken
