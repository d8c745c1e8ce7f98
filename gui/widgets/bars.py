"""Users per instance as horizontal bars: who carries how much, at a glance."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.cleaning import clean_line

from ..format import integer
from ..theme import Theme, ui_font

_HEIGHT = 46

#: Room that a name leaves to the number behind it.
_COUNT = 60

_GAP = 16


class InstanceBars(QWidget):
    """One bar per instance beside the others, each with its name and its number."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._values: list[tuple[str, int, int]] = []
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_values(self, values: list[tuple[str, int, int]]) -> None:
        """Name, colour index and count of each instance, in order."""
        values = [(clean_line(name), index, count) for name, index, count in values]
        if values != self._values:
            self._values = values
            self.setAccessibleDescription(", ".join(f"{name}: {count}" for name, _, count in values))
            self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(400, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Name and number above, bar below, all on one scale."""
        if not self._values:
            return
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        highest = max(1, *(count for _, _, count in self._values))
        width = min(420.0, (self.width() - _GAP * (len(self._values) - 1)) / len(self._values))
        bold = ui_font(bold=True)
        for place, (name, index, count) in enumerate(self._values):
            x = place * (width + _GAP)
            painter.setFont(ui_font(12))
            painter.setPen(QColor(tokens.muted))
            metrics = QFontMetrics(ui_font(12))
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, max(0, round(width) - _COUNT))
            painter.drawText(QRectF(x, 0, width, 20), Qt.AlignmentFlag.AlignVCenter, shown)
            left = metrics.horizontalAdvance(shown) + 8
            painter.setFont(bold)
            painter.setPen(QColor(tokens.text))
            painter.drawText(QRectF(x + left, 0, width, 20), Qt.AlignmentFlag.AlignVCenter, integer(count))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.sunken))
            painter.drawRoundedRect(QRectF(x, 26, width, 8), 4, 4)
            if count:
                painter.setBrush(QColor(self._theme.series_colour(index)))
                painter.drawRoundedRect(QRectF(x, 26, max(8.0, width * count / highest), 8), 4, 4)
