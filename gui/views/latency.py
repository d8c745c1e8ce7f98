"""Latency: percentiles per instance over time, what was lost, and along which ways."""

from __future__ import annotations

import time
from typing import cast

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout, QWidget

from core.cleaning import clean_line

from ..context import Context
from ..format import short_clock
from ..models.legend import LegendModel
from ..models.matrix import METRICS, MatrixMetric
from ..models.series import Metric
from ..plain import set_tip
from ..widgets.blocks import Card, Elided, Segments, button, column, label, row, wrapping
from ..widgets.matrix import MatrixView
from ..widgets.plot import TimeChart
from ..widgets.table import Table
from .chart import WINDOWS, ChartDirector, Group, Scale
from .lost import LostCard
from .view import View

#: Seconds between two descriptions of the chart for assistive technology.
_DESCRIBE_EVERY = 5.0

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class LatencyView(View):
    """The chart with its legend on top, matrix and lost messages beneath."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.legend = LegendModel(self)
        self.chart = TimeChart(self.theme.tokens)
        self.director = ChartDirector(context, self.chart, self.legend)
        self._described = 0.0
        self._build_choices()
        self.page.addWidget(self._build_chart_card(), 5)
        lower = row(self._build_matrix_card(), self._build_lost_card(), spacing=12)
        lower.setStretch(0, 3)
        lower.setStretch(1, 2)
        self.page.addLayout(lower, 3)
        self.legend.toggled.connect(self.director.redraw)
        context.paused_changed.connect(self.refresh)
        self.director.follow_changed.connect(self.refresh)
        self.retranslate()

    # ---- building ------------------------------------------------------------------------

    def _build_choices(self) -> None:
        self.percentile = Segments(("p50", "p95", "p99", "max"), "p99")
        self.group = Segments(("via", "on"), "via")
        self.window_choice = Segments(tuple(WINDOWS), "1m")
        self.scale = Segments(("lin", "log"), "lin")
        self.as_table = button(small=True)
        self.as_table.setCheckable(True)
        self.percentile.chosen.connect(self._on_choice)
        self.group.chosen.connect(self._on_choice)
        self.window_choice.chosen.connect(self._on_window)
        self.scale.chosen.connect(self._on_choice)
        self.as_table.toggled.connect(self._on_table)

    def _build_chart_card(self) -> QWidget:
        card = Card(spacing=8)
        self._title = Elided("title")
        self._live = button("primary")
        self._live.clicked.connect(self._back_to_live)
        self._held = Elided("muted")
        card.body.addLayout(
            row(
                self._title,
                self._held,
                self._live,
                1,
                self.percentile,
                self.group,
                self.window_choice,
                self.scale,
                self.as_table,
            )
        )
        self._legend_table = Table(self.legend, self.theme, self.session.cluster.index, many=False)
        self._legend_table.setSelectionMode(Table.SelectionMode.NoSelection)
        self._legend_table.setFixedWidth(318)
        self._legend_table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._legend_table.clicked.connect(self._on_legend)
        for place, wide in enumerate((86, 58, 58, 58)):
            self._legend_table.setColumnWidth(place, wide)
        self._twin_model = QStandardItemModel(self)
        self._twin = Table(self._twin_model, self.theme, self.session.cluster.index)
        self._twin.horizontalHeader().setDefaultAlignment(_RIGHT)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.chart)
        self._pages.addWidget(self._twin)
        body = row(self._pages, self._legend_table, spacing=12)
        body.setStretch(0, 1)
        card.body.addLayout(body, 1)
        self._build_empty()
        return card

    def _build_empty(self) -> None:
        self._empty = QFrame(self.chart)
        self._empty.setProperty("role", "card")
        self._empty_text = wrapping("lead")
        self._empty_text.setMinimumWidth(250)
        self._empty_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty_start = button("primary")
        self._empty_start.clicked.connect(self.session.next_action)
        inner = QVBoxLayout(self._empty)
        inner.setContentsMargins(24, 18, 24, 18)
        inner.addLayout(column(self._empty_text, row(1, self._empty_start, 1), spacing=12))
        self.chart.installEventFilter(self)

    def _build_matrix_card(self) -> QWidget:
        card = Card(spacing=8)
        self._matrix_title = label("title")
        self._matrix_hint = Elided("muted")
        self.matrix_metric = Segments(METRICS, "reach")
        self.matrix_metric.chosen.connect(self._on_matrix_metric)
        self._matrix = MatrixView(self.session.small_matrix, self.theme, pixels=12)
        self._matrix.doubleClicked.connect(lambda: self.context.go_to.emit("matrix"))
        card.body.addLayout(row(self._matrix_title, self._matrix_hint, 1, self.matrix_metric))
        card.body.addWidget(self._matrix, 1)
        return card

    def _build_lost_card(self) -> QWidget:
        self.lost = LostCard(self.context)
        return self.lost

    # ---- texts and numbers ---------------------------------------------------------------

    def retranslate(self) -> None:
        """Set every text in the present language."""
        metric = self.percentile.current
        if self.group.current == "via":
            title = self.tr("Delivery latency, {metric} by instance pushed via")
        else:
            title = self.tr("Delivery latency, {metric} by instance connected on")
        self._title.setText(title.format(metric=metric))
        self.percentile.set_texts({"max": self.tr("max")})
        self.group.set_texts(
            {"via": self.tr("via"), "on": self.tr("on")},
            {
                "via": self.tr("By the instance that was asked to push (G)"),
                "on": self.tr("By the instance the user is connected to (G)"),
            },
        )
        self.window_choice.set_texts(
            {
                "30s": self.tr("30 s"),
                "1m": self.tr("1 m"),
                "5m": self.tr("5 m"),
                "15m": self.tr("15 m"),
                "run": self.tr("run"),
            }
        )
        self.scale.set_texts(
            {"lin": self.tr("lin"), "log": self.tr("log")},
            {"lin": self.tr("Linear axis (O)"), "log": self.tr("Logarithmic axis (O)")},
        )
        self.as_table.setText(self.tr("Table"))
        set_tip(self.as_table, self.tr("The same numbers as a table (T)"))
        self._live.setText(self.tr("Back to live"))
        self._empty_start.setText(self.tr("Start"))
        self._empty_text.setText(self.tr("Start a run to see latency (F5)"))
        self._matrix_title.setText(self.tr("Delivery matrix"))
        self._matrix_hint.setText(self.tr("rows: pushed via · columns: connected on"))
        self.matrix_metric.set_texts(
            {"reach": self.tr("reach"), "delivered": self.tr("delivered"), "lost": self.tr("lost")}
        )
        self._legend_table.setAccessibleName(self.tr("Legend"))
        self._matrix.setAccessibleName(self._matrix_title.text())
        self._twin.setAccessibleName(self._title.text())
        self.legend.retranslate()
        self.session.small_matrix.retranslate()
        self._describe()

    def refresh(self) -> None:
        """Draw the present span, or say how to get one."""
        empty = self.session.series.empty
        idle = self.session.run.next_action == "start"
        self._empty.setVisible(empty and idle)
        self._place_empty()
        self._show_hold()
        if self._pages.currentIndex() == 0:
            self.director.redraw()
        else:
            self._fill_twin()
        self.lost.refresh()
        if time.monotonic() - self._described > _DESCRIBE_EVERY:
            self._describe()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the empty state in the middle of the chart."""
        if event.type() == QEvent.Type.Resize and isinstance(event, QResizeEvent):
            self._place_empty()
        return False

    # ---- inside --------------------------------------------------------------------------

    def _place_empty(self) -> None:
        self._empty.adjustSize()
        chart, box = self.chart.size(), self._empty.size()
        self._empty.move((chart.width() - box.width()) // 2 + 24, (chart.height() - box.height()) // 2 - 20)

    def _show_hold(self) -> None:
        paused = self.context.paused_at
        held = paused is not None or not self.director.following
        self._live.setVisible(held)
        self._live.setText(self.tr("Resume") if paused is not None else self.tr("Back to live"))
        if paused is not None:
            behind = short_clock(self.session.run.now - paused)
            self._held.setText(self.tr("Paused · {time} behind · still recording").format(time=behind))
        else:
            self._held.setText("" if not held else self.tr("Zoomed · still recording"))

    def _back_to_live(self) -> None:
        self.context.set_paused(False)
        self.director.follow()

    def _on_choice(self) -> None:
        self.director.choose(
            metric=cast(Metric, self.percentile.current),
            group=cast(Group, self.group.current),
            scale=cast(Scale, self.scale.current),
        )
        self.retranslate()

    def _on_window(self, key: str) -> None:
        self.director.choose(window=key)

    def _on_table(self, on: bool) -> None:
        self._pages.setCurrentIndex(1 if on else 0)
        self.refresh()

    def _on_matrix_metric(self, key: str) -> None:
        self.session.small_matrix.metric = cast(MatrixMetric, key)

    def _on_legend(self, index: QModelIndex) -> None:
        if QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier:
            self.legend.solo(self.legend.name_at(index.row()))

    def _fill_twin(self) -> None:
        header, rows = self.director.table()
        self._twin_model.setHorizontalHeaderLabels([clean_line(each) for each in header])
        self._twin_model.setColumnCount(len(header))
        self._twin_model.setRowCount(len(rows))
        for at, texts in enumerate(rows):
            for place, text in enumerate(map(clean_line, texts)):
                item = cast(QStandardItem | None, self._twin_model.item(at, place))
                if item is None:
                    item = QStandardItem()
                    item.setTextAlignment(_RIGHT)
                    self._twin_model.setItem(at, place, item)
                if item.text() != text:
                    item.setText(text)

    def _describe(self) -> None:
        self._described = time.monotonic()
        self.chart.set_words(self._title.text(), self.director.describe())
