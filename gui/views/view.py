"""What all views share: they redraw on the beat while visible, and follow language and theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ..context import Context


class View(QWidget):
    """A page of the window.

    Subclasses build themselves in ``__init__``, set every text in :meth:`retranslate` and every
    number in :meth:`refresh`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setObjectName("page")
        self.context = context
        self.session = context.session
        self.theme = context.theme
        self.page = QVBoxLayout(self)
        self.page.setContentsMargins(0, 0, 0, 0)
        self.page.setSpacing(12)
        context.beat.connect(self._on_beat)

    def retranslate(self) -> None:
        """Set every text in the present language."""

    def refresh(self) -> None:
        """Show the models' present values; called only while visible."""

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
            self.refresh()
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while hidden."""
        super().showEvent(event)
        self.refresh()

    def _on_beat(self) -> None:
        if self.isVisible():
            self.refresh()
