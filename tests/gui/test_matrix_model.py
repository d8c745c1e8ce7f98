"""The matrix as a table model."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.modeltest import ModelTester

from core.report.figures import Cell
from gui.models.matrix import MatrixModel
from tests.support.qt import watch_model


def filled() -> MatrixModel:
    model = MatrixModel()
    model.apply(
        (
            Cell("i1", "i1", 100, 100, 0, 0.5, 2.0),
            Cell("i1", "i2", 100, 97, 3, 1.0, 4.0),
            Cell("i1", "-", 2, 0, 2, None, None),
        ),
        ("i1", "i2", "i10"),
    )
    return model


def test_keeps_qts_contract(app: QApplication, qtmodeltester: ModelTester) -> None:
    model = MatrixModel()
    watch_model(qtmodeltester, model)
    model.apply((), ("i1", "i2"))
    model.apply((Cell("i3", "i1", 1, 1, 0, 1.0, 1.0),), ("i1", "i2", "i3"))
    model.metric = "p99"
    model.clear()


def test_rows_and_columns_are_the_instances_and_one_for_nowhere(app: QApplication) -> None:
    model = filled()
    assert model.ids == ["i1", "i2", "i10"]
    assert (model.rowCount(), model.columnCount()) == (3, 4)
    across = Qt.Orientation.Horizontal
    assert [model.headerData(k, across) for k in range(4)] == ["on i1", "on i2", "on i10", "offline"]


def test_reach_shows_failure_in_red_and_gaps_as_empty(app: QApplication) -> None:
    model = filled()
    assert (model.paint(0, 0).text, model.paint(0, 0).shade) == ("100 %", "good")
    assert (model.paint(0, 1).text, model.paint(0, 1).shade) == ("97.0 %", "bad")
    assert (model.paint(0, 3).text, model.paint(0, 3).shade) == ("2 lost", "bad")
    assert model.paint(1, 1).shade == "empty"
    assert model.paint(1, 1).diagonal
    assert not model.paint(0, 3).diagonal


def test_each_metric_prints_its_number(app: QApplication) -> None:
    model = filled()
    printed = {}
    for metric in ("delivered", "lost", "p50", "p99"):
        model.metric = metric
        printed[metric] = model.paint(0, 1).text
    assert printed == {"delivered": "97", "lost": "3", "p50": "1.0 ms", "p99": "4.0 ms"}
    assert model.paint(0, 1).shade == "scale", "red is reserved for failure"


def test_a_cell_says_itself_in_words(app: QApplication) -> None:
    sentence = filled().sentence(0, 1)
    assert "via i1 to users on i2: pushed 100, delivered 97, lost 3" in sentence
    assert "offline" in filled().sentence(0, 3)
    worst = filled().worst()
    assert worst is not None
    assert worst.lost == 3
