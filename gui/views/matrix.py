"""Matrix: which way through the instances delivers, which loses, and how fast each is."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QStackedLayout, QWidget

from core.report.figures import Cell

from ..context import Context
from ..format import integer, millis, percent
from ..models.matrix import METRICS, OFFLINE, MatrixMetric
from ..widgets.blocks import Card, Elided, Segments, button, column, label, row, wrapping
from ..widgets.matrix import MatrixView as Grid
from .lost import LostCard
from .view import View


class MatrixView(View):
    """The matrix large; the chosen pair in words and the lost messages beside it."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.metric_choice = Segments(METRICS, "reach")
        self.metric_choice.chosen.connect(self._on_metric)
        side = QWidget()
        side.setMinimumWidth(340)
        side.setMaximumWidth(460)
        self.lost = LostCard(context)
        stack = column(self._build_pair(), self.lost, spacing=12)
        stack.setStretch(1, 1)
        side.setLayout(stack)
        line = row(self._build_grid(), side, spacing=12)
        line.setStretch(0, 3)
        line.setStretch(1, 2)
        self.page.addLayout(line, 1)
        self.session.run.changed.connect(self._on_beat)
        self.retranslate()

    def _build_grid(self) -> QWidget:
        card = Card(spacing=10)
        self._title, self._hint = label("title"), Elided("muted")
        self.grid = Grid(self.session.matrix, self.theme, pixels=15)
        self.grid.selectionModel().currentChanged.connect(self._show_pair)
        self._empty = wrapping("lead")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._start = button("primary")
        self._start.clicked.connect(self.session.next_action)
        nothing = QWidget()
        nothing.setLayout(column(1, self._empty, row(1, self._start, 1), 1, spacing=12))
        place = QWidget()
        self._stack = QStackedLayout(place)
        self._stack.addWidget(nothing)
        self._stack.addWidget(self.grid)
        self._legend = wrapping("muted")
        card.body.addLayout(row(self._title, self._hint, 1, self.metric_choice))
        card.body.addWidget(place, 1)
        card.body.addWidget(self._legend)
        return card

    def _build_pair(self) -> QWidget:
        card = Card(spacing=8)
        self._pair_title = label("title")
        self._pair = wrapping()
        self._verdict = wrapping("muted")
        card.body.addWidget(self._pair_title)
        card.body.addWidget(self._pair)
        card.body.addWidget(self._verdict)
        return card

    @property
    def pair_title(self) -> str:
        """Which way is told about."""
        return self._pair_title.text()

    def next_metric(self) -> None:
        """Show the following metric."""
        self.metric_choice.next()

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._title.setText(self.tr("Delivery matrix"))
        self._hint.setText(self.tr("rows: pushed via · columns: connected on"))
        self.metric_choice.set_texts(
            {"reach": self.tr("reach"), "delivered": self.tr("delivered"), "lost": self.tr("lost")},
            {
                "reach": self.tr("Delivered of what is settled (V)"),
                "p50": self.tr("Median latency in milliseconds (V)"),
                "p99": self.tr("99th percentile of latency in milliseconds (V)"),
            },
        )
        self._legend.setText(
            self.tr(
                "Outlined: the user is on the instance that was asked. Hatched: no push went this way yet. "
                "Offline: the user was between two connections when the push was due."
            )
        )
        self._empty.setText(self.tr("Start a run to fill the matrix (F5)"))
        self._start.setText(self.tr("Start"))
        self.grid.setAccessibleName(self._title.text())
        self.session.matrix.retranslate()
        self.refresh()

    def refresh(self) -> None:
        """Show the pair that is chosen, or the overall verdict."""
        some = bool(self.session.matrix.ids)
        self._stack.setCurrentIndex(1 if some else 0)
        self._start.setEnabled(self.session.run.next_action == "start")
        self.lost.refresh()
        self._show_pair()

    def _on_metric(self, key: str) -> None:
        self.session.matrix.metric = cast(MatrixMetric, key)

    def _show_pair(self) -> None:
        index: QModelIndex = self.grid.currentIndex()
        matrix = self.session.matrix
        cell = matrix.cell(index.row(), index.column()) if index.isValid() else None
        if not index.isValid() or not matrix.ids:
            self._pair_title.setText(self.tr("All ways"))
            self._pair.setText(self._overall())
            worst = matrix.worst()
            self._verdict.setText(
                self.tr("Choose a cell to see its figures.") if worst is None else self._worst(worst)
            )
            return
        via = matrix.ids[index.row()]
        on = self._place(matrix.column_id(index.column()))
        self._pair_title.setText(self.tr("Pushed via {via}, user on {on}").format(via=via, on=on))
        if cell is None:
            self._pair.setText(self.tr("No push went this way yet"))
            self._verdict.setText("")
            return
        self._pair.setText(
            self.tr("{delivered} of {pushed} delivered, {lost} lost").format(
                delivered=integer(cell.delivered), pushed=integer(cell.pushed), lost=integer(cell.lost)
            )
        )
        self._verdict.setText(
            self.tr("p50 {p50} ms · p99 {p99} ms · reach {reach} %").format(
                p50=millis(cell.p50),
                p99=millis(cell.p99),
                reach=percent(cell.delivered, cell.delivered + cell.lost),
            )
        )

    def _worst(self, cell: Cell) -> str:
        if cell.on == OFFLINE:
            text = self.tr("Most losses: via {via} to users between two connections, {lost}.")
        else:
            text = self.tr("Most losses: via {via} to users on {on}, {lost}.")
        return text.format(via=cell.via, on=cell.on, lost=integer(cell.lost))

    def _overall(self) -> str:
        totals = self.session.run.totals
        if not totals.pushed:
            return self.tr("Nothing was pushed yet")
        return self.tr("{delivered} of {pushed} delivered, {lost} lost").format(
            delivered=integer(totals.delivered),
            pushed=integer(totals.pushed),
            lost=integer(totals.lost),
        )

    def _place(self, name: str) -> str:
        return self.tr("none (reconnecting)") if name == OFFLINE else name
