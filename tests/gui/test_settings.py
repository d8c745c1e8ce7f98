"""What the window remembers."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from gui.settings import Settings


def fresh(path: Path) -> Settings:
    return Settings(QSettings(str(path), QSettings.Format.IniFormat))


def test_defaults(tmp_path: Path) -> None:
    settings = fresh(tmp_path / "a.ini")
    assert (settings.theme, settings.language, settings.single_keys) == ("system", "system", True)
    assert (settings.instances, settings.users, settings.rate, settings.chart_rate) == (3, 60, 40, 4)
    assert settings.transports == "websocket"
    assert settings.load_geometry() is None


def test_values_survive_with_their_types(tmp_path: Path) -> None:
    path = tmp_path / "a.ini"
    store = QSettings(str(path), QSettings.Format.IniFormat)
    first = Settings(store)
    first.theme, first.language, first.single_keys = "dark", "zh_CN", False
    first.instances, first.users, first.rate, first.tip_dismissed = 5, 100, 0, True
    first.transports = "xhr-polling"
    first.save_geometry(QByteArray(b"geometry"))
    store.sync()
    again = fresh(path)
    assert (again.theme, again.language, again.single_keys) == ("dark", "zh_CN", False)
    assert (again.instances, again.users, again.rate, again.tip_dismissed) == (5, 100, 0, True)
    assert again.transports == "xhr-polling"
    assert again.load_geometry() == QByteArray(b"geometry")


def test_damaged_values_are_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.ini"
    path.write_text(
        "[General]\ntheme=pink\ninstances=many\nusers=-4\nchart_rate=77\ntransports=pigeon\n",
        encoding="utf-8",
    )
    settings = fresh(path)
    assert (settings.theme, settings.instances, settings.users, settings.chart_rate) == ("system", 3, 1, 4)
    assert settings.transports == "websocket"
