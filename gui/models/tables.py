"""A table model over keyed rows: batches in, no proxy, no work in ``data`` beyond a look-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from core.cleaning import clean_line

from ..plain import tip

Row = TypeVar("Row")
Index = QModelIndex | QPersistentModelIndex

#: The row object behind a cell.
ROW_ROLE = int(Qt.ItemDataRole.UserRole)
#: The colour token of a cell's text: ``ok``, ``warn``, ``danger``, ``muted`` or "".
TONE_ROLE = ROW_ROLE + 1
#: The instance whose swatch stands before the text.
SWATCH_ROLE = ROW_ROLE + 2

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its header (asked anew when the language changes) and what a row shows in it."""

    title: Callable[[], str]
    text: Callable[[Row], str]
    right: bool = False
    key: Callable[[Row], Any] | None = None
    tone: Callable[[Row], str] | None = None
    swatch: Callable[[Row], str] | None = None


class RowsModel(QAbstractTableModel, Generic[Row]):
    """Rows by key, shown in an order of row numbers that filter and sort make.

    Sorting is a snapshot: rows that come later go to the end until the header is clicked again.
    """

    def __init__(self, columns: Iterable[Column[Row]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._columns = tuple(columns)
        self._rows: list[Row] = []
        self._numbers: dict[str, int] = {}
        self._order: list[int] = []
        self._places: dict[int, int] = {}
        self._accept: Callable[[Row], bool] | None = None
        self._texts: dict[tuple[int, int], str] = {}

    # ---- filling -------------------------------------------------------------------------

    def put(self, items: Iterable[tuple[str, Row]]) -> None:
        """Add or replace rows by key; one insertion and one change signal per call."""
        changed: list[int] = []
        added: list[int] = []
        for key, row in items:
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._rows)
                self._rows.append(row)
                added.append(number)
            else:
                self._rows[number] = row
                changed.append(number)
        self._touch(changed)
        self._insert([n for n in added if self._accept is None or self._accept(self._rows[n])])

    def clear_rows(self) -> None:
        """Drop everything."""
        self.beginResetModel()
        self._rows.clear()
        self._numbers.clear()
        self._order.clear()
        self._places.clear()
        self._texts.clear()
        self.endResetModel()

    def set_filter(self, accept: Callable[[Row], bool] | None) -> None:
        """Show only rows that are accepted; None shows all."""
        self._accept = accept
        self.beginResetModel()
        self._order = [n for n, row in enumerate(self._rows) if accept is None or accept(row)]
        self._reindex()
        self.endResetModel()

    @property
    def total(self) -> int:
        """How many rows there are, shown or not."""
        return len(self._rows)

    def rows(self) -> list[Row]:
        """All rows in the order of their arrival."""
        return list(self._rows)

    def row_at(self, place: int) -> Row:
        """The row shown at a place."""
        return self._rows[self._order[place]]

    def find(self, key: str) -> Row | None:
        """The row of a key, or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def retranslate(self) -> None:
        """The language changed: headers and texts are made anew."""
        self._texts.clear()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._columns) - 1)
        self._emit_all()

    def refresh(self) -> None:
        """Texts depend on something outside (the clock): make them anew."""
        self._texts.clear()
        self._emit_all()

    # ---- Qt ------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        """Rows shown."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: Index | None = None) -> int:
        """Columns."""
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """What a cell shows; unknown roles are answered at once."""
        if role not in _ROLES or not index.isValid():
            return None
        column = self._columns[index.column()]
        number = self._order[index.row()]
        return self._answer(column, index.column(), number, role)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = int(Qt.ItemDataRole.DisplayRole),
    ) -> Any:
        """Column titles; rows have none."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self._columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self._columns[section].right else _LEFT
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort what is there now; column -1 goes back to the order of arrival."""
        self.layoutAboutToBeChanged.emit()
        old = {number: place for place, number in enumerate(self._order)}
        if column < 0:
            self._order.sort()
        else:
            spec = self._columns[column]
            key = spec.key or spec.text
            self._order.sort(key=lambda n: key(self._rows[n]), reverse=order == Qt.SortOrder.DescendingOrder)
        self._reindex()
        before = self.persistentIndexList()
        by_place = {place: number for number, place in old.items()}
        after = [self.index(self._places[by_place[i.row()]], i.column()) for i in before]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    # ---- inside --------------------------------------------------------------------------

    def _answer(self, column: Column[Row], at: int, number: int, role: int) -> Any:
        row = self._rows[number]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                text = self._texts.get((number, at))
                if text is None:
                    text = self._texts[number, at] = clean_line(column.text(row))
                return text if role == Qt.ItemDataRole.DisplayRole else tip(text)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if column.right else _LEFT
            case _ if role == ROW_ROLE:
                return row
            case _ if role == TONE_ROLE:
                return column.tone(row) if column.tone is not None else ""
            case _:
                return column.swatch(row) if column.swatch is not None else ""

    def _insert(self, numbers: list[int]) -> None:
        if not numbers:
            return
        start = len(self._order)
        self.beginInsertRows(QModelIndex(), start, start + len(numbers) - 1)
        self._order.extend(numbers)
        self._places.update((number, start + k) for k, number in enumerate(numbers))
        self.endInsertRows()

    def _touch(self, numbers: list[int]) -> None:
        for number in numbers:
            for column in range(len(self._columns)):
                self._texts.pop((number, column), None)
        places = [self._places[n] for n in numbers if n in self._places]
        if places:
            last = len(self._columns) - 1
            self.dataChanged.emit(self.index(min(places), 0), self.index(max(places), last))

    def _reindex(self) -> None:
        self._places = {number: place for place, number in enumerate(self._order)}

    def _emit_all(self) -> None:
        if self._order:
            last = self.index(len(self._order) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)


_ROLES = frozenset(
    {
        int(Qt.ItemDataRole.DisplayRole),
        int(Qt.ItemDataRole.ToolTipRole),
        int(Qt.ItemDataRole.TextAlignmentRole),
        ROW_ROLE,
        TONE_ROLE,
        SWATCH_ROLE,
    }
)
