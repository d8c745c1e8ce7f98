"""Small pieces that every view is made of: cards, labels, segmented choices, rules."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..plain import Plain, set_tip


def label(role: str = "", text: str = "") -> QLabel:
    """A label in one of the style sheet's roles: title, muted, lead, headline …"""
    made = Plain(text)
    if role:
        made.setProperty("role", role)
    return made


class Elided(Plain):
    """A label that gives way: where there is no room its end becomes an ellipsis."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        if role:
            self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        """Next to nothing."""
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """As much of the text as fits; the whole of it is in the tip then."""
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        set_tip(self, "" if shown == self.text() else self.text())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, shown)


def wrapping(role: str = "") -> QLabel:
    """A label whose text breaks into lines."""
    made = label(role)
    made.setWordWrap(True)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return made


def button(kind: str = "", *, small: bool = False) -> QPushButton:
    """A push button of a kind: primary, large, danger, quiet, small or plain."""
    made = QPushButton()
    made.setAutoDefault(False)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    if kind:
        made.setProperty("kind", kind)
    elif small:
        made.setProperty("kind", "small")
    if small and kind:
        made.setProperty("compact", True)
    return made


def number_box(low: int, high: int, value: int) -> QSpinBox:
    """A box for a whole number; its text stands as far from the edge as a text field's."""
    made = QSpinBox()
    made.setRange(low, high)
    made.setValue(value)
    made.setAccelerated(True)
    made.lineEdit().setTextMargins(7, 0, 0, 0)
    return made


def row(*items: QWidget | QLayout | int, spacing: int = 8) -> QHBoxLayout:
    """A horizontal layout; an integer is a stretch of that weight."""
    made = QHBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    _fill(made, items)
    return made


def column(*items: QWidget | QLayout | int, spacing: int = 8) -> QVBoxLayout:
    """A vertical layout; an integer is a stretch of that weight."""
    made = QVBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    _fill(made, items)
    return made


def _fill(layout: QHBoxLayout | QVBoxLayout, items: Sequence[QWidget | QLayout | int]) -> None:
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        elif isinstance(item, QWidget):
            layout.addWidget(item)
        else:
            layout.addLayout(item)


class Card(QFrame):
    """A surface with a hairline border; its contents go into :attr:`body`."""

    def __init__(self, parent: QWidget | None = None, *, margin: int = 16, spacing: int = 12) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(margin, margin - 2, margin, margin)
        self.body.setSpacing(spacing)


class Dot(QWidget):
    """A state as a filled disc; always beside a word, never alone."""

    def __init__(self, colour: str = "#808080", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = colour
        self.setFixedSize(10, 10)

    def set_colour(self, colour: str) -> None:
        """Change the colour."""
        if colour != self._colour:
            self._colour = colour
            self.update()

    def sizeHint(self) -> QSize:
        """Ten pixels square."""
        return QSize(10, 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the disc."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._colour))
        painter.drawEllipse(self.rect().adjusted(1, 1, -1, -1))


class Segments(QFrame):
    """A joined row of buttons of which exactly one is on; arrow keys move within it."""

    chosen = Signal(str)

    def __init__(self, keys: Sequence[str], current: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "segments")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(1)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._keys = list(keys)
        self._buttons: dict[str, QPushButton] = {}
        for key in keys:
            made = QPushButton(key)
            made.setCheckable(True)
            made.setAutoDefault(False)
            made.setChecked(key == current)
            self._group.addButton(made)
            layout.addWidget(made)
            self._buttons[key] = made
        self._group.buttonClicked.connect(self._on_clicked)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def current(self) -> str:
        """The key of the button that is on."""
        return next(key for key, made in self._buttons.items() if made.isChecked())

    def choose(self, key: str) -> None:
        """Switch to a key and tell."""
        if key != self.current:
            self._buttons[key].setChecked(True)
            self.chosen.emit(key)

    def next(self) -> None:
        """Switch to the following key, from the last to the first."""
        at = self._keys.index(self.current)
        self.choose(self._keys[(at + 1) % len(self._keys)])

    def set_texts(self, texts: dict[str, str], tips: dict[str, str] | None = None) -> None:
        """Name the buttons in the present language."""
        for key, text in texts.items():
            self._buttons[key].setText(text)
            set_tip(self._buttons[key], (tips or {}).get(key, ""))

    def button(self, key: str) -> QPushButton:
        """The button of a key."""
        return self._buttons[key]

    def _on_clicked(self) -> None:
        self.chosen.emit(self.current)


def restyle(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property that the style sheet looks at; repolish only on a change."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.update()
