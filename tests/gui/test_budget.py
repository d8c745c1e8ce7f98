"""What drawing and filling cost: measured and told, so that a cliff is seen; never a time limit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from core.report.figures import UserRow
from gui.models.run import RunModel
from gui.models.users import UsersModel
from gui.theme import Theme
from gui.widgets.plot import TimeChart
from gui.widgets.swatch import pen_of
from gui.widgets.table import Table

log = logging.getLogger("pushscope.tests")
Record = Callable[[str, object], None]

#: The offscreen platform says so of every bare top-level widget.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


def test_a_repaint_of_sixteen_curves(app: QApplication, theme: Theme, record_property: Record) -> None:
    chart = TimeChart(theme.tokens)
    chart.resize(1200, 500)
    chart.show()
    x = np.arange(600, dtype=np.float64) * 0.1
    for number in range(16):
        pen = pen_of(theme, number)
        assert pen.widthF() == 1.0, "a wide antialiased pen costs a hundred times as much"
        assert pen.isCosmetic()
        chart.set_curve(f"i{number}", pen)
    chart.set_x(0.0, 60.0, [])
    chart.set_y(0.0, 30.0, [(10.0, "10")], "ms")
    costs: list[float] = []
    for turn in range(12):
        began = time.perf_counter()
        for number in range(16):
            chart.set_data(f"i{number}", x, 10 + number + np.sin(x + turn + number))
        assert not chart.grab().isNull()
        costs.append(1000 * (time.perf_counter() - began))
    chart.close()
    middle = float(np.median(costs))
    record_property("16 curves of 600 points, set and painted, ms (aim 40)", round(middle, 1))
    log.info("16 curves of 600 points, set and painted: %.1f ms (aim 40)", middle)


def test_twenty_thousand_rows(app: QApplication, theme: Theme, record_property: Record) -> None:
    model = UsersModel(RunModel())
    table = Table(model, theme, lambda name: 0)
    table.resize(1200, 700)
    table.show()
    steps: list[float] = []
    for batch in range(40):
        rows = [
            (f"user-{n}", UserRow(f"user-{n}", "connected", "i1", 0.0, 0, n))
            for n in range(batch * 500, batch * 500 + 500)
        ]
        began = time.perf_counter()
        model.put(rows)
        QApplication.processEvents()
        steps.append(1000 * (time.perf_counter() - began))
    table.close()
    assert model.rowCount() == 20_000
    record_property("batch of 500 rows, worst ms (aim 60)", round(max(steps), 1))
    log.info(
        "20,000 rows in batches of 500: %.0f rows/s, worst step %.1f ms (aim 60)",
        20_000_000 / sum(steps),
        max(steps),
    )
