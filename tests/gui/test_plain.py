"""Texts from elsewhere are shown as they are by every label, tip and table of the window."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtGui import Qt as RichText
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPlainTextEdit, QTableView, QWidget

from core.cleaning import clean_line
from core.engine.messages import Problem, Snapshot
from core.environment import InstanceInfo, LogLine, Part, StartStep
from core.report.figures import Cell, LostPush, Marker, UserRow
from gui.plain import Plain, tip
from gui.window import MainWindow
from tests.support.engine_link import DoubleLink

#: HTML, a terminal's sequence, and marks that turn the direction of writing.
HOSTILE = '<img src="file:///x"><b>ann</b>\x1b[31m\u202egnp\u2066\x00'
SHOWN = clean_line(HOSTILE)
_VIEWS = ("latency", "matrix", "users", "push", "cluster")


def read(shown: str) -> str:
    """What a person reads of a text that Qt takes for HTML where it looks like it."""
    if not RichText.mightBeRichText(shown):
        return shown
    document = QTextDocument()
    document.setHtml(shown)
    return document.toPlainText()


@pytest.mark.parametrize("text", ["ann", HOSTILE, "<b>x</b>", "a\n<i>b</i>", "5 < 6 & 7", "<p>1\n2</p>"])
def test_a_tip_is_read_as_it_was_written(app: QApplication, text: str) -> None:
    expected = "\n".join(clean_line(line) for line in text.split("\n"))
    assert read(tip(text)) == expected


def test_a_label_shows_tags(app: QApplication) -> None:
    label = Plain(HOSTILE)
    assert (label.text(), label.textFormat()) == (SHOWN, Qt.TextFormat.PlainText)


def hostile_snapshot(link: DoubleLink) -> Snapshot:
    """A picture of a run in which everything that others choose is hostile."""
    snapshot = next(event for event in reversed(link.engine.advance(0.1)) if isinstance(event, Snapshot))
    instance = InstanceInfo(HOSTILE, "ready", f"http://{HOSTILE}", broker_trouble=HOSTILE)
    parts = (*snapshot.parts, Part(HOSTILE, "ready", HOSTILE))
    user = UserRow(HOSTILE, "failed", HOSTILE, -1.0, 0, 0, 1006, HOSTILE)
    lost = LostPush(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, 0.5, f"to-broker on {HOSTILE}")
    cell = Cell(HOSTILE, HOSTILE, 3, 2, 1, 1.0, 2.0)
    return msgspec.structs.replace(
        snapshot, instances=(instance,), parts=parts, users=(user,), lost=(lost,), matrix=(cell,)
    )


def tips_and_texts(model: QAbstractItemModel) -> Iterator[str]:
    """What the cells and headers of a model show, and what their tips are read as."""
    none = QModelIndex()
    for column in range(model.columnCount(none)):
        for orientation in (Qt.Orientation.Horizontal, Qt.Orientation.Vertical):
            yield str(model.headerData(column, orientation, Qt.ItemDataRole.DisplayRole) or "")
        for line in range(model.rowCount(none)):
            index = model.index(line, column, none)
            yield str(model.data(index, Qt.ItemDataRole.DisplayRole) or "")
            yield read(str(model.data(index, Qt.ItemDataRole.ToolTipRole) or ""))


def shown_by(widget: QWidget) -> Iterator[str]:
    """What a person can read of a widget."""
    yield read(widget.toolTip())
    match widget:
        case QLabel():
            assert widget.textFormat() == Qt.TextFormat.PlainText, widget.text()
            yield widget.text()
        case QComboBox():
            yield from (widget.itemText(place) for place in range(widget.count()))
        case QPlainTextEdit():
            yield widget.toPlainText()
        case QTableView():
            yield from tips_and_texts(widget.model())
        case _:
            pass


def test_no_widget_of_the_window_is_fooled(window: MainWindow, link: DoubleLink) -> None:
    window.start.start.click()
    link.advance(1.0)
    link.deliver([
        hostile_snapshot(link),
        Marker(0.5, "kill", HOSTILE),
        LogLine(HOSTILE, HOSTILE),
        StartStep("instances", "failed", 1.0, 0, 1, HOSTILE),
        Problem("users-not-connected", HOSTILE, HOSTILE, HOSTILE),
    ])  # fmt: skip
    seen: set[str] = set()
    for view in _VIEWS:
        window.go_to(view)
        window.context.beat.emit()
        QApplication.processEvents()
        for widget in [window, *window.findChildren(QWidget)]:
            seen.update(shown_by(widget))
    invisible = {text for text in seen if "\x1b" in text or "\u202e" in text or "\x00" in text}
    assert not invisible
    told = [text for text in seen if SHOWN in text]
    assert len(told) > 5, told  # tags are read, not obeyed
    plain = {text for text in seen if "egnp" in text and SHOWN not in text}
    assert not plain
