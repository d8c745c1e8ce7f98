"""The legend of the latency chart: one row per instance, with a check box and its figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, Qt, Signal

from core.cleaning import clean_line

from ..format import NONE, millis
from .tables import SWATCH_ROLE, TONE_ROLE, Index


@dataclass(frozen=True, slots=True)
class LegendRow:
    """An instance's figures in milliseconds; ``now`` is NaN where nothing was delivered."""

    name: str
    now: float
    p50: float | None
    p99: float | None
    max: float | None


class LegendModel(QAbstractTableModel):
    """Rows in the order of the instances; unchecking hides a curve."""

    toggled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[LegendRow] = []
        self._hidden: set[str] = set()
        self.moment = ""

    def set_rows(self, rows: list[LegendRow], moment: str = "") -> None:
        """Show these rows; ``moment`` replaces the word *now* when the mouse reads the past."""
        same = [row.name for row in rows] == [row.name for row in self._rows]
        if not same:
            self.beginResetModel()
        self._rows = rows
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 1), self.index(len(rows) - 1, 4))
        if moment != self.moment:
            self.moment = moment
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 1, 1)

    def shown(self, name: str) -> bool:
        """Whether the curve of an instance is to be drawn."""
        return name not in self._hidden

    def name_at(self, row: int) -> str:
        """The instance of a row."""
        return self._rows[row].name if 0 <= row < len(self._rows) else ""

    def solo(self, name: str) -> None:
        """Show only this one; all again if it was the only one."""
        others = {row.name for row in self._rows} - {name}
        self._hidden = set() if self._hidden == others else others
        self._tell()

    def retranslate(self) -> None:
        """The language changed."""
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, 4)

    # ---- Qt ------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        """One row per instance."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Name, now, p50, p99, max."""
        return 0 if parent is not None and parent.isValid() else 5

    def flags(self, index: Index) -> Qt.ItemFlag:
        """The first column has a check box."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == 0 else flags

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        """Column titles."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _align(section)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if section == 0:
            return QCoreApplication.translate("LegendModel", "Instance")
        now = self.moment or QCoreApplication.translate("LegendModel", "now")
        return (now, "p50", "p99", QCoreApplication.translate("LegendModel", "max"))[section - 1]

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """Figures, check state, mark."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _text(row, index.column())
            case Qt.ItemDataRole.TextAlignmentRole:
                return _align(index.column())
            case Qt.ItemDataRole.CheckStateRole if index.column() == 0:
                return Qt.CheckState.Checked if self.shown(row.name) else Qt.CheckState.Unchecked
            case _ if role == SWATCH_ROLE and index.column() == 0:
                return row.name
            case _ if role == TONE_ROLE:
                return "" if self.shown(row.name) else "muted"
            case _:
                return None

    def setData(self, index: Index, value: Any, role: int = int(Qt.ItemDataRole.EditRole)) -> bool:
        """Check or uncheck."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != 0:
            return False
        name = self._rows[index.row()].name
        if Qt.CheckState(value) == Qt.CheckState.Checked:
            self._hidden.discard(name)
        else:
            self._hidden.add(name)
        self._tell()
        return True

    def _tell(self) -> None:
        if self._rows:
            last: QModelIndex = self.index(len(self._rows) - 1, 4)
            self.dataChanged.emit(self.index(0, 0), last)
        self.toggled.emit()


def _text(row: LegendRow, column: int) -> str:
    if column == 0:
        return clean_line(row.name)
    if column == 1:
        return NONE if math.isnan(row.now) else millis(row.now)
    return millis((row.p50, row.p99, row.max)[column - 2])


def _align(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
