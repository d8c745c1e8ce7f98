"""The strip of headline numbers, the same in every view; each number leads to its view."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from ..theme import Theme, ui_font
from .blocks import Card


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as shown: text, unit and tone (a token's name, ``text`` when all is well)."""

    text: str
    unit: str = ""
    tone: str = "text"


class Tile(QAbstractButton):
    """One headline number under its name."""

    def __init__(self, key: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self._theme = theme
        self._figure = Figure("–")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(46)
        self._least = 56
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self.update)

    @property
    def figure(self) -> Figure:
        """What is shown now."""
        return self._figure

    def set_figure(self, figure: Figure) -> None:
        """Show a number; repaints only when it changed."""
        if figure != self._figure:
            self._figure = figure
            self.setAccessibleDescription(f"{figure.text} {figure.unit}".strip())
            self._grow()
            self.update()

    def sizeHint(self) -> QSize:
        """Wide enough for its number."""
        return QSize(max(self._least, 96), 46)

    def minimumSizeHint(self) -> QSize:
        """As wide as the widest number so far, so that nothing is cut and nothing jitters."""
        return QSize(self._least, 46)

    def _grow(self) -> None:
        wide = QFontMetrics(ui_font(20, bold=True)).horizontalAdvance(self._figure.text)
        if self._figure.unit:
            wide += QFontMetrics(ui_font(12)).horizontalAdvance(self._figure.unit) + 5
        if wide + 10 > self._least:
            self._least = wide + 10
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The name above, the number and its unit below, on shared baselines."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QColor(tokens.accent))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setFont(ui_font(12))
        painter.setPen(QColor(tokens.text if self.underMouse() else tokens.muted))
        painter.drawText(4, 14, self.text())
        big = ui_font(20, bold=True)
        painter.setFont(big)
        painter.setPen(QColor(getattr(tokens, self._figure.tone)))
        painter.drawText(4, 40, self._figure.text)
        if self._figure.unit:
            after = 4 + QFontMetrics(big).horizontalAdvance(self._figure.text) + 5
            painter.setFont(ui_font(12))
            painter.setPen(QColor(tokens.muted))
            painter.drawText(after, 40, self._figure.unit)


class KpiStrip(Card):
    """All headline numbers in a row."""

    chosen = Signal(str)

    def __init__(self, keys: tuple[str, ...], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, margin=12)
        self.body.setContentsMargins(14, 9, 14, 9)
        line = QHBoxLayout()
        line.setSpacing(4)
        self._tiles: dict[str, Tile] = {}
        for key in keys:
            made = Tile(key, theme)
            made.clicked.connect(lambda _checked=False, name=key: self.chosen.emit(name))
            self._tiles[key] = made
            line.addWidget(made, 1)
        self.body.addLayout(line)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def tile(self, key: str) -> Tile:
        """The tile of a key."""
        return self._tiles[key]
