"""The chart widget: what the mouse does to it, and how it draws sparse data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QGraphicsView, QWidget

from gui.theme import Theme
from gui.widgets.plot import Mark, TimeChart
from gui.widgets.swatch import pen_of

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def chart(app: QApplication, theme: Theme) -> Iterator[TimeChart]:
    made = TimeChart(theme.tokens)
    made.resize(900, 400)
    made.show()
    made.set_curve("i1", pen_of(theme, 0))
    made.set_x(0.0, 60.0, [(30.0, "0:30")])
    made.set_y(0.0, 10.0, [(5.0, "5"), (10.0, "10")], "ms")
    QApplication.processEvents()
    yield made
    made.close()


def viewport(chart: TimeChart) -> QWidget:
    return chart.findChildren(QGraphicsView)[0].viewport()


def wheel(target: QWidget, at: QPointF) -> None:
    none = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        at,
        QPointF(target.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        none,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target, event)


def test_the_wheel_zooms_time_only_and_tells(chart: TimeChart) -> None:
    spans: list[tuple[float, float]] = []

    def on_moved(start: float, end: float) -> None:
        spans.append((start, end))

    chart.moved.connect(on_moved)
    wheel(viewport(chart), QPointF(450, 120))
    assert spans
    start, end = chart.x_range
    assert 0.0 < start < end < 60.0
    chart.set_x(0.0, 60.0, [])
    assert len(spans) == 1, "our own moves are not told"


def test_a_double_click_asks_to_follow_again(chart: TimeChart) -> None:
    asked: list[bool] = []
    chart.reset_asked.connect(lambda: asked.append(True))
    QTest.mouseDClick(viewport(chart), Qt.MouseButton.LeftButton, pos=QPoint(450, 120))
    assert asked == [True]


def test_the_span_stays_while_the_mouse_holds_it(chart: TimeChart) -> None:
    QTest.mousePress(viewport(chart), Qt.MouseButton.LeftButton, pos=QPoint(450, 120))
    assert chart.dragging
    chart.set_x(10.0, 70.0, [])
    assert chart.x_range == (0.0, 60.0)
    QTest.mouseRelease(viewport(chart), Qt.MouseButton.LeftButton, pos=QPoint(450, 120))
    assert not chart.dragging


def test_leaving_takes_the_crosshair_away(chart: TimeChart) -> None:
    heard: list[object] = []
    chart.hovered.connect(heard.append)
    QApplication.sendEvent(viewport(chart), QEvent(QEvent.Type.Leave))
    assert heard == [None]
    chart.show_cross(12.0)
    chart.show_cross(None)


def test_moving_the_mouse_reads_a_time(chart: TimeChart, qtbot: Any) -> None:
    heard: list[object] = []
    chart.hovered.connect(heard.append)
    target = viewport(chart)
    none = Qt.MouseButton.NoButton
    for x in (300.0, 301.0):
        at = QPointF(x, 100.0)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            at,
            QPointF(target.mapToGlobal(at)),
            none,
            none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(target, event)
    qtbot.waitUntil(lambda: bool(heard), timeout=5000)
    assert isinstance(heard[0], float)
    assert 0.0 < heard[0] < 60.0


def test_points_without_neighbours_and_gaps_can_be_drawn(chart: TimeChart) -> None:
    x = np.arange(6, dtype=np.float64)
    nan = float("nan")
    chart.set_data("i1", x, np.array([1.0, nan, 2.0, nan, 3.0, 4.0]))
    chart.set_bars(x, np.array([0.0, 3.0, 0.0, 0.0, 1.0, 0.0]), 1.0)
    chart.set_strip(4.0, "lost/s")
    assert not chart.grab().isNull()
    chart.set_data("i1", x[:0], x[:0])
    chart.show_curve("i1", False)
    chart.remove_curves([])
    assert not chart.grab().isNull()


def test_marks_follow_the_theme_and_may_crowd(chart: TimeChart, theme: Theme) -> None:
    chart.set_marks([Mark(10.0 + k / 10, f"kill i{k}", "danger") for k in range(9)])
    theme.set_mode("dark")
    chart.apply_theme(theme.tokens)
    chart.set_words("Latency", "p99 4 ms")
    assert chart.accessibleDescription() == "p99 4 ms"
    assert not chart.grab().isNull()
    theme.set_mode("light")
