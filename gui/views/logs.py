"""The last lines of a process, followed while the end is in sight."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QPlainTextEdit

from .. import words
from ..context import Context
from ..models.cluster import ALL, MAX_LINES
from ..theme import mono_font
from ..widgets.blocks import Card, label, row

#: A longer line is cut for display: one of megabytes would freeze the text widget.
_MAX_LINE = 4096


class LogCard(Card):
    """Choose a process, read its tail."""

    def __init__(self, context: Context) -> None:
        super().__init__(spacing=8)
        self._cluster = context.session.cluster
        self._title = label("title")
        self.source = QComboBox()
        self.source.setMinimumWidth(150)
        self.text = QPlainTextEdit()
        self.text.setProperty("role", "log")
        self.text.setReadOnly(True)
        self.text.setUndoRedoEnabled(False)
        self.text.setMaximumBlockCount(MAX_LINES)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(mono_font(12))
        self.text.setTabChangesFocus(True)
        self.body.addLayout(row(self._title, self.source, 1))
        self.body.addWidget(self.text, 1)
        self._following = True
        self.text.verticalScrollBar().actionTriggered.connect(self._on_scroll)
        self.text.verticalScrollBar().rangeChanged.connect(self._to_end)
        self.source.currentIndexChanged.connect(self._on_source)
        self._cluster.members_changed.connect(self._fill)
        self._cluster.logged.connect(self._on_lines)
        self.retranslate()

    def choose(self, name: str) -> None:
        """Show the log of a process."""
        place = self.source.findData(name)
        if place >= 0:
            self.source.setCurrentIndex(place)

    @property
    def current(self) -> str:
        """The process whose log is shown."""
        return str(self.source.currentData() or ALL)

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._title.setText(self.tr("Log"))
        self.text.setAccessibleName(self._title.text())
        self.source.setAccessibleName(self.tr("Process whose log is shown"))
        self.text.setPlaceholderText(self.tr("What the processes write appears here"))
        self._fill()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)

    def _fill(self) -> None:
        keep = self.current
        self.source.blockSignals(True)
        self.source.clear()
        self.source.addItem(self.tr("all processes"), ALL)
        for name in self._cluster.sources():
            self.source.addItem(words.part(name), name)
        place = self.source.findData(keep)
        self.source.setCurrentIndex(max(0, place))
        self.source.blockSignals(False)
        self._reload()

    def _on_source(self) -> None:
        self._following = True
        self._reload()

    def _reload(self) -> None:
        lines = self._cluster.logs.get(self.current, ())
        self.text.setPlainText("\n".join(line[:_MAX_LINE] for line in lines))
        self._to_end()

    def _on_lines(self, source: str, lines: list[str]) -> None:
        if source != self.current:
            if source != ALL and self.source.findData(source) < 0:
                self._fill()
            return
        self.text.appendPlainText("\n".join(line[:_MAX_LINE] for line in lines))
        self._to_end()

    def showEvent(self, event: QShowEvent) -> None:
        """The end is in sight again."""
        super().showEvent(event)
        self._to_end()

    def _on_scroll(self) -> None:
        """Scrolled by hand: follow only from the end."""
        bar = self.text.verticalScrollBar()
        self._following = bar.sliderPosition() >= bar.maximum() - 2

    def _to_end(self) -> None:
        if self._following:
            bar = self.text.verticalScrollBar()
            bar.setValue(bar.maximum())
