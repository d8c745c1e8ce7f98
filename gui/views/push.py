"""Push: one push by hand with what came of it, and the rate of the automatic ones."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QStackedLayout,
    QWidget,
)

from core.cleaning import clean_line, clean_text

from ..context import Context
from ..format import rate
from ..models.pushes import SentPush
from ..plain import set_tip
from ..theme import mono_font
from ..widgets.blocks import Card, button, column, label, number_box, row, wrapping
from ..widgets.table import Table
from .view import View

#: The most that an instance accepts in one push, in bytes.
MAX_PAYLOAD = 65_536


class PushView(View):
    """Composer and rate on the left, history on the right."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._names: dict[str, QLabel] = {}
        left = QWidget()
        left.setFixedWidth(380)
        composer, automatic = self._build_composer(), self._build_rate()
        stack = column(composer, automatic, spacing=12)
        stack.setStretch(0, 1)
        left.setLayout(stack)
        history = self._build_history()
        line = row(left, history, spacing=12)
        line.setStretch(1, 1)
        self.page.addLayout(line, 1)
        self._ids: list[str] = []
        self._user_count = -1
        self._fitted = False
        self.session.run.changed.connect(self._on_beat)
        self.session.answered.connect(self._on_beat)
        self.session.cluster.members_changed.connect(self._fill_via)
        self.retranslate()

    def _build_composer(self) -> Card:
        card = Card(spacing=10)
        self._composer_title = label("title")
        card.body.addWidget(self._composer_title)
        form = QFormLayout()
        form.setVerticalSpacing(8)
        form.setHorizontalSpacing(12)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.to = QComboBox()
        self.to.setEditable(True)
        self.to.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        completer = self.to.completer()
        if completer is not None:
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.via = QComboBox()
        self.destination = QLineEdit("/topic/greetings")
        for key, widget in (("to", self.to), ("via", self.via), ("destination", self.destination)):
            self._names[key] = label("muted")
            self._names[key].setBuddy(widget)
            self._names[key].setMinimumHeight(30)
            form.addRow(self._names[key], widget)
        card.body.addLayout(form)
        self._names["payload"] = label("muted")
        self.payload = QPlainTextEdit('{"text": "hello from Pushscope"}')
        self.payload.setFont(mono_font(12))
        self.payload.setTabChangesFocus(True)
        self.payload.setMinimumHeight(60)
        self.payload.textChanged.connect(self._check)
        self._names["payload"].setBuddy(self.payload)
        card.body.addWidget(self._names["payload"])
        card.body.addWidget(self.payload, 1)
        self._problem = wrapping("danger")
        self._size = label("muted")
        self.send = button("primary")
        self.send.clicked.connect(self.push)
        shortcut = QShortcut(QKeySequence("Ctrl+Return"), self)
        shortcut.activated.connect(self.push)
        card.body.addWidget(self._problem)
        card.body.addLayout(row(self.send, self._size, 1))
        self.destination.textChanged.connect(self._check)
        self.to.editTextChanged.connect(self._check)
        return card

    def _build_rate(self) -> Card:
        card = Card(spacing=10)
        self._rate_title, self._rate_now = label("title"), label("muted")
        self.rate = number_box(0, 20_000, self.context.settings.rate)
        self.apply_rate, self.stop_rate = button(), button()
        self.apply_rate.clicked.connect(lambda: self.session.set_rate(float(self.rate.value())))
        self.stop_rate.clicked.connect(lambda: self.session.set_rate(0.0))
        self._rate_note = wrapping("muted")
        card.body.addLayout(row(self._rate_title, 1, self._rate_now))
        line = row(self.rate, self.apply_rate, self.stop_rate)
        line.setStretch(0, 1)
        card.body.addLayout(line)
        card.body.addWidget(self._rate_note)
        return card

    def _build_history(self) -> Card:
        card = Card(spacing=8)
        self._history_title = label("title")
        self.table = Table(self.session.pushes, self.theme, self.session.cluster.index, many=False)
        self.table.selectionModel().selectionChanged.connect(self._show_detail)
        self._empty = wrapping("lead")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        place = QWidget()
        self._stack = QStackedLayout(place)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.table)
        self.detail = QPlainTextEdit()
        self.detail.setReadOnly(True)
        self.detail.setProperty("role", "log")
        self.detail.setFont(mono_font(12))
        self.detail.setTabChangesFocus(True)
        self.detail.setFixedHeight(QFontMetrics(mono_font(12)).lineSpacing() * 7 + 16)
        self.detail.hide()
        card.body.addWidget(self._history_title)
        card.body.addWidget(place, 1)
        card.body.addWidget(self.detail)
        return card

    # ---- actions -------------------------------------------------------------------------

    def push(self) -> None:
        """Send one push as composed."""
        if not self.send.isEnabled():
            return
        text = self.to.currentText().strip()
        place = self.to.currentIndex()
        chosen = place >= 0 and text == self.to.itemText(place).strip()
        user: str | None = self.to.itemData(place) if chosen else text  # None is everybody
        via = self.via.currentData()
        self.session.push_once(
            user, str(via) if via else None, self.destination.text().strip(), self.payload.toPlainText()
        )
        self.refresh()
        last = self.session.pushes.rowCount() - 1
        self.table.selectRow(last)
        self.table.scrollToBottom()

    # ---- texts and states ----------------------------------------------------------------

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._composer_title.setText(self.tr("One push"))
        texts = {
            "to": self.tr("To"),
            "via": self.tr("Via"),
            "destination": self.tr("Destination"),
            "payload": self.tr("Payload"),
        }
        for key, text in texts.items():
            self._names[key].setText(text)
        for widget, key in (
            (self.to, "to"),
            (self.via, "via"),
            (self.destination, "destination"),
            (self.payload, "payload"),
        ):
            widget.setAccessibleName(texts[key])
        self.send.setText(self.tr("Send once"))
        set_tip(self.send, "Ctrl+Enter")
        self._rate_title.setText(self.tr("Automatic pushes"))
        self.rate.setSuffix(" " + self.tr("/s"))
        self.rate.setAccessibleName(self.tr("Pushes per second"))
        self.apply_rate.setText(self.tr("Set rate"))
        self.stop_rate.setText(self.tr("None"))
        self._rate_note.setText(
            self.tr("To all users in turn, through all instances in turn; starts a run if none is on.")
        )
        self._history_title.setText(self.tr("Sent by hand"))
        self.table.setAccessibleName(self._history_title.text())
        self._empty.setText(
            self.tr("What you send appears here: what the instance answered, and when it arrived.")
        )
        self.session.pushes.retranslate()
        self._fill_via()
        self._user_count = -1
        self._fitted = False
        self.refresh()

    def refresh(self) -> None:
        """Offer the present users; show the present rate."""
        self._fill_users()
        latest, run = self.session.run.latest, self.session.run
        current = latest.push_rate if latest is not None and run.run == "running" else 0.0
        self._rate_now.setText(self.tr("now {rate}/s").format(rate=rate(current)))
        ready = run.cluster == "running"
        self.apply_rate.setEnabled(ready)
        self.stop_rate.setEnabled(ready and current > 0)
        some = self.session.pushes.rowCount() > 0
        self._stack.setCurrentIndex(1 if some else 0)
        if some and not self._fitted:
            self.table.fit_columns((76, 104, 84, 68, 50, 70))
        self._fitted = some
        self._check()
        self._show_detail()

    def _check(self) -> None:
        """Say what is wrong before it is sent."""
        size = len(self.payload.toPlainText().encode())
        problem = ""
        if not self.destination.text().strip().startswith("/"):
            problem = self.tr("A destination starts with a slash, for example /topic/greetings")
        elif size > MAX_PAYLOAD:
            problem = self.tr("The payload is larger than 64 KiB, the most an instance accepts")
        elif not self.to.currentText().strip():
            problem = self.tr("Name a user, or choose everybody")
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._size.setText(self.tr("%n byte(s)", "", size))
        self.send.setEnabled(not problem and self.session.run.cluster == "running")

    def _fill_via(self) -> None:
        keep = self.via.currentData()
        self.via.clear()
        self.via.addItem(self.tr("the next in turn"), "")
        for info in self.session.cluster.instances:
            self.via.addItem(clean_line(info.id), info.id)
        self.via.setCurrentIndex(max(0, self.via.findData(keep)))

    def _fill_users(self) -> None:
        users = self.session.users
        if users.total == self._user_count:
            return
        self._user_count = users.total
        keep, chosen = self.to.currentText(), self.to.currentIndex()
        self.to.blockSignals(True)
        self.to.clear()
        self.to.addItem(self.tr("everybody"))
        for item in users.rows()[:5000]:
            self.to.addItem(clean_line(item.user), item.user)
        if chosen <= 0:
            self.to.setCurrentIndex(1 if users.total and not keep else 0)
        else:
            self.to.setCurrentText(keep)
        self.to.blockSignals(False)

    def _show_detail(self) -> None:
        places = self.table.selected_places()
        self.detail.setVisible(bool(places))
        if not places:
            return
        item: SentPush = self.session.pushes.row_at(places[0])
        lines = [f"POST /push  user={item.command.user or '*'}  destination={item.command.destination}"]
        lines.append(item.command.payload[:4096])
        if item.result is not None:
            lines.append("")
            lines.append(f"{item.result.status} {item.result.instance}  {item.result.body}"[:4096])
        text = clean_text("\n".join(lines))
        if self.detail.toPlainText() != text:
            self.detail.setPlainText(text)
