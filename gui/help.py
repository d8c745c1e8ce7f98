"""Two small dialogs, both opened without blocking: the keys, and what this program is."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from core.version import VERSION

from .widgets.blocks import label, wrapping

#: Under this name lupdate finds the texts.
translate = QCoreApplication.translate


def _rows() -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            translate("Keys", "Everywhere"),
            [
                ("F5", translate("Keys", "start")),
                ("Shift+F5", translate("Keys", "stop, again: stop now")),
                ("Space", translate("Keys", "pause or resume the charts")),
                ("Ctrl+0 … 5", translate("Keys", "switch views")),
                ("F11", translate("Keys", "full screen")),
                ("Ctrl+Q", translate("Keys", "quit")),
            ],
        ),
        (
            translate("Keys", "Cluster"),
            [
                ("S  X", translate("Keys", "start, stop the run")),
                ("K", translate("Keys", "kill the chosen instance")),
                ("P", translate("Keys", "pause or resume it")),
                ("+", translate("Keys", "add an instance")),
                ("L", translate("Keys", "to the log")),
            ],
        ),
        (
            translate("Keys", "Users"),
            [
                ("A", translate("Keys", "add users")),
                ("D  R", translate("Keys", "disconnect, reconnect the chosen ones")),
            ],
        ),
        (translate("Keys", "Push"), [("Ctrl+Enter", translate("Keys", "send once"))]),
        (
            translate("Keys", "Latency"),
            [
                ("G  W  O", translate("Keys", "grouping, window, linear or logarithmic")),
                ("T", translate("Keys", "chart or table")),
                ("0", translate("Keys", "back to the live edge")),
            ],
        ),
        (translate("Keys", "Matrix"), [("V", translate("Keys", "next figure"))]),
    ]


def show_keys(parent: QWidget) -> QDialog:
    """Open the list of keys."""
    dialog = _dialog(parent, translate("Keys", "Keys"))
    grid = QGridLayout()
    grid.setHorizontalSpacing(20)
    grid.setVerticalSpacing(6)
    line = 0
    for title, keys in _rows():
        heading = label("title", title)
        heading.setContentsMargins(0, 8 if line else 0, 0, 0)
        grid.addWidget(heading, line, 0, 1, 2)
        line += 1
        for key, meaning in keys:
            grid.addWidget(label("key", key), line, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(label("", meaning), line, 1)
            line += 1
    return _open(dialog, grid)


def about_text() -> str:
    """What the program is, and its version."""
    text = translate(
        "About",
        "Pushscope {version}\n\nA bench for systems that push messages over WebSocket from several "
        "instances. Apache License 2.0.",
    )
    return text.format(version=VERSION)


def show_about(parent: QWidget, text: str) -> QDialog:
    """Open the note about the program."""
    dialog = _dialog(parent, "Pushscope")
    body = QVBoxLayout()
    words = wrapping()
    words.setMinimumWidth(360)
    words.setText(text)
    body.addWidget(words)
    return _open(dialog, body)


def _dialog(parent: QWidget, title: str) -> QDialog:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    return dialog


def _open(dialog: QDialog, body: QGridLayout | QVBoxLayout) -> QDialog:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(24, 20, 24, 16)
    layout.setSpacing(16)
    layout.addLayout(body)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    dialog.open()  # never exec(): a nested loop loses tasks that wake meanwhile
    return dialog
