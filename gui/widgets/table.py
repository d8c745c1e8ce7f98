"""Tables as this window has them: fixed rows, no proxy, Tab leaves them, tones and swatches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from ..models.tables import SWATCH_ROLE, TONE_ROLE
from ..theme import Theme
from .swatch import swatch_pixmap

ROW_HEIGHT = 26
_SAMPLE = 200


class ToneDelegate(QStyledItemDelegate):
    """Colours text by the model's tone and puts an instance's mark before its name."""

    def __init__(self, theme: Theme, index_of: Callable[[str], int], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._index_of = index_of
        self._icons: dict[tuple[int, str, float], QIcon] = {}

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Fill in colour and mark."""
        super().initStyleOption(option, index)
        tone = index.data(TONE_ROLE)
        if tone:
            colour = QColor(getattr(self._theme.tokens, tone))
            palette: QPalette = option.palette  # pyright: ignore
            for role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
                palette.setColor(role, colour)
        instance = index.data(SWATCH_ROLE)
        if instance and instance not in ("-", ""):
            option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration  # pyright: ignore
            option.icon = self._icon(self._index_of(instance))  # pyright: ignore
            option.decorationSize = QSize(18, 10)  # pyright: ignore

    def _icon(self, number: int) -> QIcon:
        ratio = self.parent().devicePixelRatioF() if isinstance(self.parent(), QWidget) else 1.0  # pyright: ignore
        key = (number, self._theme.tokens.surface, float(ratio))  # pyright: ignore
        if key not in self._icons:
            pixmap: QPixmap = swatch_pixmap(self._theme, number, key[2])
            icon = QIcon(pixmap)
            icon.addPixmap(pixmap, QIcon.Mode.Selected)
            self._icons[key] = icon
        return self._icons[key]


class Table(QTableView):
    """A read-only table; columns are sized once from a sample, the last takes the rest."""

    def __init__(
        self,
        model: QAbstractItemModel,
        theme: Theme,
        index_of: Callable[[str], int],
        *,
        sortable: bool = False,
        many: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(ToneDelegate(theme, index_of, self))
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(
            QAbstractItemView.SelectionMode.ExtendedSelection
            if many
            else QAbstractItemView.SelectionMode.SingleSelection
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        header.setFixedHeight(28)
        if model.columnCount():  # takes what is left, and no more
            header.setSectionResizeMode(model.columnCount() - 1, QHeaderView.ResizeMode.Stretch)
        else:
            header.setStretchLastSection(True)
        if sortable:
            header.setSectionsClickable(True)
            header.setSortIndicatorShown(True)
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            header.sortIndicatorChanged.connect(model.sort)

    def fit_columns(self, least: Sequence[int] = ()) -> None:
        """Size columns for their headers and the first rows, not below ``least``."""
        model = self.model()
        metrics = QFontMetrics(self.font())
        for column in range(model.columnCount() - 1):
            texts = [str(model.headerData(column, Qt.Orientation.Horizontal) or "")]
            for row in range(min(model.rowCount(), _SAMPLE)):
                texts.append(str(model.index(row, column).data() or ""))
            wide = max(metrics.horizontalAdvance(text) for text in texts) + 24
            floor = least[column] if column < len(least) else 0
            self.setColumnWidth(column, min(max(wide, floor), 420))

    def selected_places(self) -> list[int]:
        """Row numbers that are selected, from top to bottom."""
        return sorted(index.row() for index in self.selectionModel().selectedRows())
