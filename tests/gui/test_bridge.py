"""The bridge to an engine in a child process: order, end, deadline."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import Shiboken

from core.engine.messages import Event, PushOnce, PushResult, Snapshot, StartRun, StateChanged
from core.load.scenario import Scenario
from gui.bridge import EngineProcess
from gui.session import Session
from gui.settings import Settings

DOUBLE = Path(__file__).resolve().parent.parent / "support" / "engine_double.py"


class Ear(QObject):
    def __init__(self, link: EngineProcess) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.ends: list[tuple[int, str]] = []
        link.received.connect(self.events.extend)
        link.ended.connect(self._on_end)

    def _on_end(self, code: int, tail: str) -> None:
        self.ends.append((code, tail))

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def link(app: QApplication) -> Iterator[EngineProcess]:
    made = EngineProcess([sys.executable, str(DOUBLE)])
    yield made
    made.shutdown(5)


def test_commands_go_in_and_events_come_out_in_order(link: EngineProcess, qtbot: QtBot) -> None:
    ear = Ear(link)
    link.start()
    link.send(StartRun(Scenario(users=5, rate=40.0)))
    link.send(PushOnce(7, "user-1", "hi"))
    qtbot.waitUntil(lambda: bool(ear.of(PushResult)) and bool(ear.of(Snapshot)), timeout=20_000)
    states = [(e.run, e.cluster) for e in ear.events if isinstance(e, StateChanged)]
    assert states[:3] == [("idle", "starting"), ("idle", "running"), ("running", "running")]
    assert {event.ref for event in ear.events if isinstance(event, PushResult)} == {7}


def test_shutdown_ends_the_engine_in_order(link: EngineProcess, qtbot: QtBot) -> None:
    ear = Ear(link)
    link.start()
    qtbot.waitUntil(lambda: bool(ear.events), timeout=20_000)
    pid = link.pid
    assert link.shutdown(10)
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=10_000)
    assert ear.ends == [(0, "")]
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_the_engines_death_is_reported_with_its_last_words(link: EngineProcess, qtbot: QtBot) -> None:
    ear = Ear(link)
    link.start()
    link.send(PushOnce(1, "crash", "crash"))
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=20_000)
    assert ear.ends == [(1, "the double was told to crash")]
    link.send(PushOnce(2, None, "into the void"))  # neither raises nor blocks


def test_an_engine_that_hangs_is_killed_after_the_deadline(app: QApplication) -> None:
    link = EngineProcess([sys.executable, "-c", "import time; time.sleep(60)"])
    link.start()
    pid = link.pid
    assert not link.shutdown(0.2)
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_a_closed_engine_ends_in_the_thread_of_the_window(app: QApplication, settings: Settings) -> None:
    """Its events may still be under way to the window: ended by another thread, it would crash that."""
    links = [EngineProcess([sys.executable, "-c", "input()"])]
    ended_in: list[int] = []
    links[0].destroyed.connect(
        lambda: ended_in.append(threading.get_ident()), Qt.ConnectionType.DirectConnection
    )
    session = Session(links.pop, settings)
    assert session.open_engine()
    closing = threading.Thread(target=session.close_engine, args=(10.0,))
    closing.start()
    closing.join()
    assert not ended_in
    Shiboken.delete(session)
    assert ended_in == [threading.get_ident()]


def test_a_program_that_is_not_there_is_an_os_error(app: QApplication) -> None:
    with pytest.raises(OSError):
        EngineProcess(["/nowhere/pushscope-engine"]).start()
