"""An instance's mark: a short piece of its line, in its colour and dash pattern."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from ..theme import Theme, dash

_WIDTH, _HEIGHT = 18, 10


def pen_of(theme: Theme, index: int, width: float = 1.0) -> QPen:
    """The pen of instance ``index``."""
    pen = QPen(QColor(theme.series_colour(index)), width)
    pen.setCosmetic(True)  # a pixel on the screen, not a second and a millisecond
    pattern = dash(index)
    if pattern is not None:
        pen.setDashPattern(list(pattern))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def swatch_pixmap(theme: Theme, index: int, ratio: float) -> QPixmap:
    """The mark as a pixmap for item views."""
    pixmap = QPixmap(QSize(round(_WIDTH * ratio), round(_HEIGHT * ratio)))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _draw(painter, theme, index)
    painter.end()
    return pixmap


class Swatch(QWidget):
    """The mark as a widget."""

    def __init__(self, theme: Theme, index: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._index = index
        self.setFixedSize(_WIDTH, _HEIGHT)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        _draw(painter, self._theme, self._index)


def _draw(painter: QPainter, theme: Theme, index: int) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(theme.series_colour(index)), 2.5)
    pattern = dash(index)
    if pattern is not None:  # the line's pattern, in pixels, at this width
        pen.setDashPattern([part / 2.5 for part in pattern])
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    middle = _HEIGHT / 2
    painter.drawLine(QPointF(1, middle), QPointF(_WIDTH - 1, middle))
