"""Start: one click to moving graphs; while the cluster comes up, its checklist."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from ..context import Context
from ..models.run import STEP_ORDER
from ..theme import mono_font
from ..widgets.blocks import Card, button, column, label, row, wrapping
from ..widgets.checklist import Checklist
from .view import View

#: What the same thing is from a terminal; shown with a button that copies it.
COMMANDS = (
    "pushscope demo --headless",
    "pushscope check",
    "pushscope run --users 200 --rate 500 --duration 20 --out report",
)


class CommandLine(QWidget):
    """A command with what it does and a button that copies it."""

    copied = Signal(str)

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command
        self._what = label("muted")
        text = wrapping("code")
        text.setText(command)
        text.setFont(mono_font(12))
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy = button("quiet")
        self._copy.clicked.connect(self._on_copy)
        line = row(text, self._copy, spacing=4)
        line.setStretch(0, 1)
        line.setAlignment(self._copy, Qt.AlignmentFlag.AlignTop)
        self.setLayout(column(self._what, line, spacing=3))

    def set_words(self, what: str, copy: str) -> None:
        """Texts in the present language."""
        self._what.setText(what)
        self._copy.setText(copy)
        self._copy.setAccessibleName(f"{copy}: {self._command}")

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command)
        self.copied.emit(self._command)


class StartView(View):
    """Three cards: the demo, an empty cluster, and the same from a terminal."""

    copied = Signal(str)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._headline = label("display")
        self._lead = wrapping("lead")
        self._lead.setMaximumWidth(760)
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for made in (self._build_demo(), self._build_cluster(), self._build_terminal()):
            made.setMinimumHeight(316)
            cards.addWidget(made, 1)
        inner = column(self._headline, self._lead, spacing=6)
        inner.addSpacing(18)
        inner.addLayout(cards)
        frame = QWidget()
        frame.setMaximumWidth(1160)
        frame.setLayout(inner)
        self.page.addStretch(2)
        self.page.addLayout(row(1, frame, 1))
        self.page.setStretch(1, 0)
        self.page.addStretch(3)
        frame.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        run = self.session.run
        run.changed.connect(self.refresh)
        run.steps_changed.connect(self.refresh)
        self.theme.changed.connect(self.refresh)
        self.retranslate()
        self.refresh()

    def _build_demo(self) -> QWidget:
        card = Card(spacing=10, margin=20)
        self._demo_title = label("heading")
        self._demo_text = wrapping("lead")
        self.start = button("large")
        self.start.setDefault(True)
        self.start.clicked.connect(self._on_start)
        self._hint = label("muted")
        words = QWidget()
        words_layout = QVBoxLayout(words)
        words_layout.setContentsMargins(0, 0, 0, 0)
        words_layout.addWidget(self._demo_text)
        words_layout.addStretch(1)
        words_layout.addLayout(row(self.start, self._hint, 1, spacing=12))
        self.checklist = Checklist(STEP_ORDER, self.theme)
        self.cancel = button()
        self.cancel.clicked.connect(self._on_cancel)
        progress = QWidget()
        progress.setLayout(column(self.checklist, 1, row(self.cancel, 1), spacing=10))
        self._demo_pages = QStackedWidget()
        self._demo_pages.addWidget(words)
        self._demo_pages.addWidget(progress)
        card.body.addWidget(self._demo_title)
        card.body.addWidget(self._demo_pages, 1)
        return card

    def _build_cluster(self) -> QWidget:
        card = Card(spacing=10, margin=20)
        self._cluster_title = label("heading")
        self._cluster_text = wrapping("lead")
        self.start_cluster = button()
        self.start_cluster.clicked.connect(self._on_start_cluster)
        card.body.addWidget(self._cluster_title)
        card.body.addWidget(self._cluster_text)
        card.body.addStretch(1)
        card.body.addLayout(row(self.start_cluster, 1))
        return card

    def _build_terminal(self) -> QWidget:
        card = Card(spacing=10, margin=20)
        self._terminal_title = label("heading")
        card.body.addWidget(self._terminal_title)
        self._lines: list[CommandLine] = []
        for command in COMMANDS:
            line = CommandLine(command)
            line.copied.connect(self.copied)
            card.body.addWidget(line)
            self._lines.append(line)
        card.body.addStretch(1)
        return card

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._headline.setText(self.tr("See whether every push arrives"))
        self._lead.setText(
            self.tr(
                "A push enters at one instance, the user’s socket is on another. Pushscope starts such a "
                "cluster, connects users through its gateway, pushes through every instance and measures "
                "each delivery."
            )
        )
        self._terminal_title.setText(self.tr("The same from a terminal"))
        copy = self.tr("Copy")
        told = (
            self.tr("This demo without a window"),
            self.tr("Every instance to every user, once; exit code for CI"),
            self.tr("A measured run with a report"),
        )
        for line, what in zip(self._lines, told, strict=True):
            line.set_words(what, copy)
        self._cluster_title.setText(self.tr("Start a cluster only"))
        self._cluster_text.setText(
            self.tr(
                "Gateway, discovery, broker and instances, without users and pushes. Connect users and "
                "push by hand, or point your own client at the gateway."
            )
        )
        self.start_cluster.setText(self.tr("Start the cluster"))
        self.cancel.setText(self.tr("Cancel"))
        self._hint.setText(self.tr("Enter"))
        self.refresh()

    def refresh(self) -> None:
        """Cards while nothing runs, the checklist while something comes up."""
        run, settings = self.session.run, self.context.settings
        running = run.cluster == "running"
        busy = run.cluster_alive and not running
        failed = run.cluster == "failed"
        show_steps = bool(run.steps) and (busy or failed or run.run == "starting")
        self._demo_pages.setCurrentIndex(1 if show_steps else 0)
        self._demo_title.setText(self.tr("Starting") if show_steps else self.tr("The demo"))
        if failed:
            self._demo_title.setText(self.tr("The start failed"))
        self.cancel.setText(self.tr("Try again") if failed else self.tr("Cancel"))
        self.checklist.show_steps(run.steps)
        self._demo_text.setText(
            self.tr(
                "{instances} instances behind a gateway, an embedded broker, {users} simulated users and "
                "{rate} pushes a second through all instances in turn. Takes about five seconds, on free "
                "ports of this machine only."
            ).format(instances=settings.instances, users=settings.users, rate=settings.rate)
        )
        live = run.is_live and not show_steps
        if live:
            self._demo_title.setText(self.tr("The demo is running"))
        self.start.setText(self.tr("Show the graphs") if live else self.tr("Start the demo"))
        self.start.setEnabled(live or run.next_action == "start")
        self.start_cluster.setEnabled(not run.cluster_alive)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter starts the demo."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.start.isEnabled():
            self._on_start()
            return
        super().keyPressEvent(event)

    def _on_start(self) -> None:
        if self.session.run.next_action == "start":
            self.session.start()
        else:
            self.context.go_to.emit("latency")

    def _on_cancel(self) -> None:
        if self.session.run.cluster == "failed":
            self.session.start()
        else:
            self.session.stop_cluster()

    def _on_start_cluster(self) -> None:
        self.session.start_cluster()
        self.context.go_to.emit("cluster")
