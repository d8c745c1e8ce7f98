"""What the window says unasked: a banner for a state that lasts, a toast for a single result."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QWidget

from .blocks import button, column, label, restyle, row, wrapping

Level = Literal["error", "warn", "info"]

_LETTER: dict[Level, str] = {"error": "✕", "warn": "!", "info": ""}


class Banner(QFrame):
    """A strip across the view: what happened, what was tried, what to do next."""

    acted = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._mark = label("title")
        self._title = wrapping("title")
        self._detail = wrapping("muted")
        self._action = button("primary")
        self._copy = button("quiet")
        self._close = button("quiet")
        self._action.clicked.connect(self.acted)
        self._close.clicked.connect(self._on_close)
        self._copy.clicked.connect(self._on_copy)
        words = column(self._title, self._detail, spacing=2)
        line = row(self._mark, words, self._copy, self._action, self._close, spacing=12)
        line.setContentsMargins(14, 8, 10, 8)
        line.setStretchFactor(words, 1)
        line.setAlignment(self._mark, Qt.AlignmentFlag.AlignTop)
        self.setLayout(line)
        self.hide()
        self._retranslate()

    def tell(
        self, level: Level, title: str, detail: str = "", *, action: str = "", copyable: bool = False
    ) -> None:
        """Show the banner, in place of what it said before."""
        restyle(self, "level", level)
        self._mark.setText(_LETTER[level])
        self._mark.setVisible(level != "info")
        self._title.setText(title)
        self._detail.setText(detail)
        self._detail.setVisible(bool(detail))
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._copy.setVisible(copyable)
        self.setAccessibleName(self._title.text())
        self.setAccessibleDescription(self._detail.text())
        self.show()

    @property
    def title(self) -> str:
        """What it says now; empty when hidden."""
        return self._title.text() if self.isVisible() else ""

    @property
    def detail(self) -> str:
        """The second line."""
        return self._detail.text()

    @property
    def action_button(self) -> QWidget:
        """The button of the next step."""
        return self._action

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _retranslate(self) -> None:
        self._close.setText(self.tr("Dismiss"))
        self._copy.setText(self.tr("Copy details"))

    def _on_close(self) -> None:
        self.hide()
        self.closed.emit()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self._title.text()}\n{self._detail.text()}")


class Toast(QFrame):
    """A note in the lower right corner that goes away by itself."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setProperty("role", "toast")
        self._text = wrapping()
        self._text.setMinimumWidth(260)
        self.setLayout(row(self._text))
        self.layout().setContentsMargins(14, 10, 14, 10)  # pyright: ignore[reportOptionalMemberAccess]
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        host.installEventFilter(self)
        self.hide()

    def tell(self, text: str, seconds: float = 5.0) -> None:
        """Show a text for a while."""
        self._text.setText(text)
        self.setAccessibleName(self._text.text())
        self.adjustSize()
        self._place()
        self.show()
        self.raise_()
        self._timer.start(round(seconds * 1000))

    @property
    def text(self) -> str:
        """What it says now; empty when hidden."""
        return self._text.text() if self.isVisible() else ""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner when the window is resized."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        host = self.parentWidget()
        if host is not None:
            self.move(host.width() - self.width() - 20, host.height() - self.height() - 44)
