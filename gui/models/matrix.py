"""The delivery matrix: rows are the instances asked to push, columns those users are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, Qt

from core.cleaning import clean_line
from core.report.figures import Cell

from ..format import NONE, integer, millis, percent
from ..plain import tip
from .tables import Index
from .users import natural

MatrixMetric = Literal["reach", "delivered", "lost", "p50", "p99"]
Shade = Literal["empty", "plain", "good", "poor", "bad", "scale"]

METRICS: tuple[MatrixMetric, ...] = ("reach", "delivered", "lost", "p50", "p99")

#: What a cell is painted from, a :class:`Paint`.
PAINT_ROLE = int(Qt.ItemDataRole.UserRole) + 10

#: With more columns than this their headers are the bare ids.
_CROWDED = 8

#: The column of users whose instance was unknown when the push was to be sent.
OFFLINE = "-"


@dataclass(frozen=True, slots=True)
class Paint:
    """How to paint a cell: ``strength`` 0 to 1 within its shade; the diagonal is outlined."""

    text: str
    shade: Shade
    strength: float
    diagonal: bool


class MatrixModel(QAbstractTableModel):
    """One cell per (via, on); every view of it may choose its own metric by a copy."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cells: dict[tuple[str, str], Cell] = {}
        self._ids: list[str] = []
        self._metric: MatrixMetric = "reach"
        self._highest = 1.0

    @property
    def ids(self) -> list[str]:
        """The instances, in the order of rows and columns."""
        return list(self._ids)

    @property
    def metric(self) -> MatrixMetric:
        """What the cells show."""
        return self._metric

    @metric.setter
    def metric(self, value: MatrixMetric) -> None:
        self._metric = value
        self._changed()

    def apply(self, cells: tuple[Cell, ...], instances: tuple[str, ...] = ()) -> None:
        """Take over the matrix; instances without a push yet are empty rows and columns."""
        self._cells = {(cell.via, cell.on): cell for cell in cells}
        known = {cell.via for cell in cells} | {cell.on for cell in cells} | set(instances) | set(self._ids)
        ids = sorted(known - {OFFLINE, ""}, key=natural)
        if ids != self._ids:
            self.beginResetModel()
            self._ids = ids
            self.endResetModel()
        self._changed()

    def clear(self) -> None:
        """Forget everything."""
        self.beginResetModel()
        self._cells, self._ids = {}, []
        self.endResetModel()

    def cell(self, row: int, column: int) -> Cell | None:
        """The cell at a place, None if nothing was pushed that way yet."""
        if not 0 <= row < len(self._ids):
            return None
        return self._cells.get((self._ids[row], self.column_id(column)))

    def column_id(self, column: int) -> str:
        """The instance of a column, or ``-`` for the last one."""
        return self._ids[column] if column < len(self._ids) else OFFLINE

    def worst(self) -> Cell | None:
        """The cell that lost most, None while nothing is lost."""
        losing = [cell for cell in self._cells.values() if cell.lost > 0]
        return max(losing, key=lambda cell: cell.lost, default=None)

    def retranslate(self) -> None:
        """The language changed."""
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._ids))
        self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, max(0, len(self._ids) - 1))
        self._changed()

    # ---- Qt ------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        """One row per instance."""
        return 0 if parent is not None and parent.isValid() else len(self._ids)

    def columnCount(self, parent: Index | None = None) -> int:
        """One column per instance and one for users who were nowhere."""
        if parent is not None and parent.isValid():
            return 0
        return len(self._ids) + 1 if self._ids else 0

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        """``via i1`` on the left, ``i1`` above."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        offline = QCoreApplication.translate("MatrixModel", "offline")
        if role == Qt.ItemDataRole.ToolTipRole and section >= len(self._ids):
            return offline
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            if section >= len(self._ids):
                return None
            return QCoreApplication.translate("MatrixModel", "via {id}").format(
                id=clean_line(self._ids[section])
            )
        if section < len(self._ids):
            if len(self._ids) > _CROWDED:
                return clean_line(self._ids[section])
            return QCoreApplication.translate("MatrixModel", "on {id}").format(
                id=clean_line(self._ids[section])
            )
        return NONE if len(self._ids) > _CROWDED else offline

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """The number, how to paint it, and a sentence for the tip and the screen reader."""
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.paint(index.row(), index.column()).text
        if role == PAINT_ROLE:
            return self.paint(index.row(), index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(self.sentence(index.row(), index.column()))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return clean_line(self.sentence(index.row(), index.column()))
        return Qt.AlignmentFlag.AlignCenter if role == Qt.ItemDataRole.TextAlignmentRole else None

    def paint(self, row: int, column: int) -> Paint:
        """How the cell at a place looks with the present metric."""
        cell = self.cell(row, column)
        diagonal = row == column
        if cell is None or cell.pushed == 0:
            return Paint("", "empty", 0.0, diagonal)
        match self._metric:
            case "reach" if self.column_id(column) == OFFLINE:
                text = QCoreApplication.translate("MatrixModel", "{n} lost").format(n=integer(cell.lost))
                return Paint(text, "bad", 0.4, diagonal) if cell.lost else Paint(NONE, "plain", 0.0, diagonal)
            case "reach":
                settled = cell.delivered + cell.lost
                return _reach(cell.delivered, settled, diagonal)
            case "lost":
                bad = min(1.0, 0.35 + 0.65 * cell.lost / max(1, cell.pushed) * 10)
                return Paint(integer(cell.lost), "bad" if cell.lost else "good", bad, diagonal)
            case "delivered":
                return Paint(integer(cell.delivered), "scale", cell.delivered / self._highest, diagonal)
            case "p50":
                return _latency(cell.p50, self._highest, diagonal)
            case "p99":
                return _latency(cell.p99, self._highest, diagonal)

    def sentence(self, row: int, column: int) -> str:
        """The cell in words."""
        cell = self.cell(row, column)
        if cell is None:
            return QCoreApplication.translate("MatrixModel", "No push went this way yet")
        text = QCoreApplication.translate(
            "MatrixModel",
            "via {via} to users on {on}: pushed {pushed}, delivered {delivered}, lost {lost}, "
            "p50 {p50} ms, p99 {p99} ms",
        )
        return text.format(
            via=cell.via,
            on=QCoreApplication.translate("MatrixModel", "offline") if cell.on == OFFLINE else cell.on,
            pushed=integer(cell.pushed),
            delivered=integer(cell.delivered),
            lost=integer(cell.lost),
            p50=millis(cell.p50),
            p99=millis(cell.p99),
        )

    def _changed(self) -> None:
        cells = self._cells.values()
        values: dict[MatrixMetric, list[float]] = {
            "delivered": [cell.delivered for cell in cells],
            "p50": [cell.p50 or 0.0 for cell in cells],
            "p99": [cell.p99 or 0.0 for cell in cells],
        }
        self._highest = max([*values.get(self._metric, []), 1e-9])
        if self._ids:
            last: QModelIndex = self.index(len(self._ids) - 1, len(self._ids))
            self.dataChanged.emit(self.index(0, 0), last)


def _reach(delivered: int, settled: int, diagonal: bool) -> Paint:
    if settled == 0:
        return Paint(NONE, "plain", 0.0, diagonal)
    share = delivered / settled
    text = f"{percent(delivered, settled)} %"
    if delivered >= settled:
        return Paint(text, "good", 1.0, diagonal)
    if share >= 0.99:
        return Paint(text, "poor", 1.0, diagonal)
    return Paint(text, "bad", min(1.0, 0.45 + (0.99 - share) * 8), diagonal)


def _latency(value: float | None, highest: float, diagonal: bool) -> Paint:
    if value is None:
        return Paint(NONE, "plain", 0.0, diagonal)
    return Paint(f"{millis(value)} ms", "scale", value / highest, diagonal)
