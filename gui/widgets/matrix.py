"""The delivery matrix as a grid of rounded cells: number in each, diagonal outlined, gaps hatched."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from ..models.matrix import PAINT_ROLE, MatrixModel, Paint
from ..theme import Theme, Tokens, ink_on, ui_font


def cell_colour(tokens: Tokens, paint: Paint) -> str:
    """The fill of a cell; red is reserved for failure."""
    match paint.shade:
        case "good":
            return tokens.mix(tokens.ok, 0.15)
        case "poor":
            return tokens.mix(tokens.warn, 0.22)
        case "bad":
            return tokens.mix(tokens.danger, 0.25 + 0.45 * paint.strength)
        case "scale":
            return tokens.mix(tokens.accent, 0.08 + 0.52 * paint.strength)
        case _:
            return tokens.surface


class CellDelegate(QStyledItemDelegate):
    """Paints one cell."""

    def __init__(self, theme: Theme, pixels: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pixels = pixels

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Fill, outline, number."""
        paint: Paint = index.data(PAINT_ROLE)
        tokens = self._theme.tokens
        rect = QRectF(option.rect).adjusted(2.5, 2.5, -2.5, -2.5)  # pyright: ignore
        fill = cell_colour(tokens, paint)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plain = paint.shade in ("empty", "plain")
        painter.setPen(QPen(QColor(tokens.line)) if plain else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(fill))
        painter.drawRoundedRect(rect, 6, 6)
        if paint.shade == "empty":
            painter.setPen(QPen(QColor(tokens.line)))
            painter.setBrush(QBrush(QColor(tokens.mix(tokens.line, 0.7)), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(rect, 6, 6)
        self._outline(painter, option, rect, paint)
        painter.setFont(ui_font(max(10, min(self._pixels, int(rect.width() / 3.3)))))
        painter.setPen(QColor(ink_on(fill) if not plain else tokens.muted))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, paint.text)
        painter.restore()

    def _outline(self, painter: QPainter, option: QStyleOptionViewItem, rect: QRectF, paint: Paint) -> None:
        tokens = self._theme.tokens
        painter.setBrush(Qt.BrushStyle.NoBrush)
        state: QStyle.StateFlag = option.state  # pyright: ignore
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(tokens.accent), 2))
            painter.drawRoundedRect(rect, 6, 6)
        elif paint.diagonal:
            painter.setPen(QPen(QColor(tokens.muted), 1.2))
            painter.drawRoundedRect(rect, 6, 6)


class MatrixView(QTableView):
    """A matrix that fills its place; arrows move, Tab leaves."""

    def __init__(self, model: MatrixModel, theme: Theme, *, pixels: int = 13) -> None:
        super().__init__()
        self.setProperty("plain", True)
        self.setModel(model)
        self.setItemDelegate(CellDelegate(theme, pixels, self))
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        for header, least in ((self.horizontalHeader(), 36), (self.verticalHeader(), 24)):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(least)
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        self.horizontalHeader().setFixedHeight(24)
        self.verticalHeader().setFixedWidth(56)
        self.setCornerButtonEnabled(False)
        theme.changed.connect(self.viewport().update)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape chooses nothing again."""
        if event.key() == Qt.Key.Key_Escape:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
            return
        super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """A comfortable size; it takes what it gets."""
        return QSize(420, 220)
