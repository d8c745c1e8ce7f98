"""The list of lost messages: which, whose, along which way, and where each was last seen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QStackedLayout, QWidget

from ..context import Context
from ..format import integer
from ..widgets.blocks import Card, label, row, wrapping
from ..widgets.table import Table


class LostCard(Card):
    """A card with the newest lost messages, or one sentence when there are none."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._session = context.session
        self._title = label("title")
        self._count = label("muted")
        self.table = Table(context.session.lost, context.theme, context.session.cluster.index, sortable=True)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._none = wrapping("muted")
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        place = QWidget()
        self._stack = QStackedLayout(place)
        self._stack.addWidget(self._none)
        self._stack.addWidget(self.table)
        self.body.addLayout(row(self._title, 1, self._count))
        self.body.addWidget(place, 1)
        self._fitted = False
        self.retranslate()

    def refresh(self) -> None:
        """Show the count, and the table once there is something in it."""
        totals, shown = self._session.run.totals, self._session.lost.total
        counts = {"lost": integer(totals.lost), "pushed": integer(totals.pushed)}
        self._count.setText(self.tr("{lost} of {pushed}").format(**counts) if totals.pushed else "")
        if shown and not self._fitted:
            self.table.fit_columns((72, 76, 76))
        self._fitted = shown > 0
        self._stack.setCurrentIndex(1 if shown else 0)
        if totals.pushed:
            self._none.setText(self.tr("✓ Nothing lost so far"))
        else:
            self._none.setText(
                self.tr("Messages that do not arrive are listed here, with the last place they were seen")
            )

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._title.setText(self.tr("Lost messages"))
        self._session.lost.retranslate()
        self._fitted = False
        self.table.setAccessibleName(self._title.text())

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
            self.refresh()
        super().changeEvent(event)
