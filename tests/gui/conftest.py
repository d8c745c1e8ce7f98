"""Fixtures of the window's tests: everything offscreen, settings in a temporary file."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import shiboken6
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from gui.app import make_application
from gui.context import Context
from gui.i18n import Languages
from gui.session import Session
from gui.settings import Settings
from gui.theme import Theme
from gui.window import MainWindow
from tests.support.engine_link import DoubleLink


@pytest.fixture(autouse=True)
def collect_here_only() -> Iterator[None]:
    """No cycle is collected by a thread of the bridge: Qt objects must not die there."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def qapp_cls() -> type[QApplication]:
    """What pytest-qt makes."""
    return QApplication


@pytest.fixture
def app(qapp: QApplication) -> QApplication:
    """The application as the program sets it up."""
    return make_application([])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings in a file of their own."""
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def languages(app: QApplication) -> Iterator[Languages]:
    """English; back to it afterwards."""
    made = Languages(app, "en")
    yield made
    made.set_language("en")
    shiboken6.delete(made)


@pytest.fixture
def theme(app: QApplication) -> Iterator[Theme]:
    """The light theme."""
    made = Theme(app, "light")
    yield made
    shiboken6.delete(made)


@pytest.fixture
def link() -> DoubleLink:
    """An engine double."""
    return DoubleLink()


@pytest.fixture
def session(link: DoubleLink, settings: Settings, languages: Languages) -> Session:
    """A session on the double."""
    return Session(lambda: link, settings)


@pytest.fixture
def context(session: Session, theme: Theme, settings: Settings) -> Iterator[Context]:
    """What views are given."""
    made = Context(session, theme, settings)
    yield made
    made.stop()
    shiboken6.delete(made)


@pytest.fixture
def window(context: Context, languages: Languages) -> Iterator[MainWindow]:
    """The whole window on the double, shown."""
    made = MainWindow(context, languages)
    made.resize(1440, 900)
    made.show()
    yield made
    made.allow_close = True
    made.close()
    shiboken6.delete(made)
