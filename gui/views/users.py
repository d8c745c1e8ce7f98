"""Users: who is connected where, for how long, and what went wrong."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QStackedLayout, QWidget

from core.report.figures import UserRow

from .. import words
from ..context import Context
from ..format import integer
from ..plain import set_tip
from ..widgets.bars import InstanceBars
from ..widgets.blocks import Card, button, label, number_box, row, wrapping
from ..widgets.table import Table
from .view import View


class UsersView(View):
    """Distribution above, table beneath; actions work on the selected rows."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.page.addWidget(self._build_distribution())
        card = Card(spacing=10)
        card.body.addLayout(self._build_actions())
        self._errors = wrapping("danger")
        self._errors.hide()
        card.body.addWidget(self._errors)
        self.table = Table(self.session.users, self.theme, self.session.cluster.index, sortable=True)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self._empty = wrapping("lead")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        place = QWidget()
        self._stack = QStackedLayout(place)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.table)
        card.body.addWidget(place, 1)
        self.page.addWidget(card, 1)
        self._fitted = False
        self._sorted = 0
        self.table.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self.session.run.changed.connect(self._on_beat)
        self.retranslate()

    def _build_distribution(self) -> QWidget:
        card = Card(spacing=8)
        self._title, self._summary = label("title"), label("muted")
        self._bars = InstanceBars(self.theme)
        card.body.addLayout(row(self._title, 1, self._summary))
        card.body.addWidget(self._bars)
        return card

    def _build_actions(self) -> QHBoxLayout:
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(260)
        self.filter.textChanged.connect(self._on_filter)
        self.count = number_box(1, 5000, 10)
        self.add, self.disconnect_button, self.reconnect = button("primary"), button(), button()
        self.add.clicked.connect(self.add_users)
        self.disconnect_button.clicked.connect(self.disconnect_selected)
        self.reconnect.clicked.connect(self.reconnect_selected)
        self._shown = label("muted")
        return row(
            self.filter,
            self._shown,
            1,
            self.disconnect_button,
            self.reconnect,
            self.count,
            self.add,
        )

    # ---- actions -------------------------------------------------------------------------

    def add_users(self) -> None:
        """Connect as many users as the box says."""
        if self.add.isEnabled():
            self.session.add_users(self.count.value())

    def disconnect_selected(self) -> None:
        """Disconnect the selected users; pushes to them count as offline."""
        self.session.disconnect_users(self.selected())

    def reconnect_selected(self) -> None:
        """Connect the selected users again; connected ones are moved."""
        self.session.reconnect_users(self.selected())

    def selected(self) -> tuple[str, ...]:
        """Names of the selected users."""
        users = self.session.users
        return tuple(users.row_at(place).user for place in self.table.selected_places())

    # ---- texts and states ----------------------------------------------------------------

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._title.setText(self.tr("Users per instance"))
        self._bars.setAccessibleName(self._title.text())
        self.filter.setPlaceholderText(self.tr("Filter by name, instance or state"))
        self.filter.setAccessibleName(self.tr("Filter users"))
        self.count.setAccessibleName(self.tr("How many users to add"))
        self.add.setText(self.tr("Add users"))
        set_tip(self.add, self.tr("Connect so many more users (A)"))
        self.disconnect_button.setText(self.tr("Disconnect"))
        set_tip(self.disconnect_button, self.tr("Pushes to them count as offline, not as lost (D)"))
        self.reconnect.setText(self.tr("Reconnect"))
        set_tip(self.reconnect, self.tr("Connect again; a connected user is dropped and placed anew (R)"))
        self.table.setAccessibleName(self.tr("Users"))
        self.session.users.retranslate()
        self._fitted = False
        self.refresh()

    def refresh(self) -> None:
        """Show the present distribution and the times."""
        users, cluster = self.session.users, self.session.cluster
        counts = users.per_instance()
        ids = [info.id for info in cluster.instances]
        ids += [name for name in sorted(counts) if name not in ids]
        self._bars.set_values([(name, cluster.index(name), counts[name]) for name in ids])
        states = users.per_state()
        self._summary.setText(
            " · ".join(f"{words.state(state)} {integer(count)}" for state, count in states.most_common())
        )
        some = users.total > 0
        self._stack.setCurrentIndex(1 if some else 0)
        running = self.session.run.cluster == "running"
        self.add.setEnabled(running)
        self._empty.setText(
            self.tr("No users yet. Add some to see where the gateway places them.")
            if running
            else self.tr("Start the demo or a cluster first; users connect through its gateway.")
        )
        if some:
            if users.total != self._sorted:  # new users take their place in the chosen order
                header = self.table.horizontalHeader()
                users.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
            users.refresh()
            if not self._fitted:
                self.table.fit_columns((120, 130, 90, 150, 120, 100, 100, 90, 160))
        self._fitted, self._sorted = some, users.total
        self._show_errors()
        self._on_selection()

    def _show_errors(self) -> None:
        groups = self.session.users.groups_of_errors()
        self._errors.setVisible(bool(groups))
        self._errors.setText(" · ".join(f"{text} ×{integer(count)}" for text, count in groups[:3]))

    def _on_filter(self, text: str) -> None:
        needle = text.strip().casefold()

        def accept(item: UserRow) -> bool:
            hay = f"{item.user} {item.on} {item.state} {words.state(item.state)} {item.error}"
            return needle in hay.casefold()

        self.session.users.set_filter(accept if needle else None)
        self._on_selection()

    def _on_selection(self) -> None:
        chosen = len(self.table.selected_places())
        self.disconnect_button.setEnabled(chosen > 0)
        self.reconnect.setEnabled(chosen > 0)
        users = self.session.users
        parts: list[str] = []
        if users.rowCount() != users.total:
            parts.append(
                self.tr("{n} of {all} shown").format(n=integer(users.rowCount()), all=integer(users.total))
            )
        if chosen:
            parts.append(self.tr("%n selected", "", chosen))
        self._shown.setText(" · ".join(parts))
