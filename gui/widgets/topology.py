"""The cluster drawn as it works: gateway above, instances in rows, broker beneath, lines between."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from ..theme import Theme
from .blocks import column

_GAP = 12
_LINK = 24
_CARD_WIDTH = 250


class Topology(QWidget):
    """Places three rows and draws the connections; instance cards wrap where they do not fit.

    ``source`` is the widget within ``above`` that the instances hang on.
    """

    def __init__(self, theme: Theme, above: QWidget, source: QWidget, below: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._source, self._below = source, below
        self._cards: list[QWidget] = []
        self._columns = 0
        self._middle = QWidget()
        self._grid = QGridLayout(self._middle)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(_GAP)
        layout = column(above, self._middle, below, spacing=_LINK)
        self.setLayout(layout)
        theme.changed.connect(self.update)

    def set_cards(self, cards: Sequence[QWidget]) -> None:
        """The instances' cards, in order; others are removed by their owner."""
        self._cards = list(cards)
        self._columns = 0
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Gateway to every instance of the first row, every one of the last row to the broker."""
        if not self._cards or not self._below.isVisible():
            return
        painter = QPainter(self)
        painter.setPen(QPen(QColor(self._theme.tokens.mix(self._theme.tokens.muted, 0.55)), 1))
        last_row = (len(self._cards) - 1) // max(1, self._columns)
        first, last = self._cards[: self._columns], self._cards[last_row * self._columns :]
        source = self._source.mapTo(self, self._source.rect().bottomLeft())
        self._beside(painter)
        start = QPointF(source.x() + self._source.width() // 2 + 0.5, source.y() + 1)
        self._bus(painter, start, [self._centre(card, top=True) for card in first])
        target = QPointF(self._below.geometry().center().x() + 0.5, self._below.geometry().top())
        self._bus(painter, target, [self._centre(card, top=False) for card in last])

    def _centre(self, card: QWidget, *, top: bool) -> QPointF:
        box, origin = card.geometry(), self._middle.geometry().topLeft()
        y = box.top() if top else box.bottom() + 1
        return QPointF(origin.x() + box.center().x() + 0.5, origin.y() + y)

    def _beside(self, painter: QPainter) -> None:
        """What stands beside the source in its row is joined to it."""
        row = self._source.parentWidget()
        layout = row.layout() if row is not None else None
        if row is None or layout is None:
            return
        y = row.geometry().center().y() + 0.5
        for place in range(layout.count() - 1):
            left, right = layout.itemAt(place), layout.itemAt(place + 1)
            if left is not None and right is not None:
                painter.drawLine(QPointF(left.geometry().right() + 1, y), QPointF(right.geometry().left(), y))

    def _bus(self, painter: QPainter, hub: QPointF, ends: list[QPointF]) -> None:
        """A line from the hub to half-way, along, and to each end."""
        half = round((hub.y() + ends[0].y()) / 2) + 0.5
        xs = [hub.x(), *(end.x() for end in ends)]
        painter.drawLine(hub, QPointF(hub.x(), half))
        painter.drawLine(QPointF(min(xs), half), QPointF(max(xs), half))
        for end in ends:
            painter.drawLine(QPointF(end.x(), half), end)

    def _arrange(self) -> None:
        wish = max(1, (self.width() + _GAP) // (_CARD_WIDTH + _GAP))
        columns = min(wish, max(1, len(self._cards)))
        if columns == self._columns:
            return
        self._columns = columns
        for card in self._cards:
            self._grid.removeWidget(card)
        for number, card in enumerate(self._cards):
            self._grid.addWidget(card, number // columns, number % columns)
            card.show()
        for place in range(self._grid.columnCount()):
            self._grid.setColumnStretch(place, 1 if place < columns else 0)
        self.update()
