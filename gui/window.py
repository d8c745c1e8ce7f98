"""The window: rail, top bar, headline numbers, notices, views, status bar."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from core.engine.messages import Finished, Problem

from . import headline, words
from .actions import VIEWS, Actions, SingleKeys
from .coach import Coach
from .context import Context
from .format import integer, millis
from .help import about_text, show_about, show_keys
from .i18n import Languages
from .theme import ASSETS
from .topbar import TopBar
from .views.cluster import ClusterView
from .views.latency import LatencyView
from .views.matrix import MatrixView
from .views.push import PushView
from .views.start import StartView
from .views.users import UsersView
from .views.view import View
from .widgets.kpi import KpiStrip
from .widgets.notices import Banner, Toast
from .widgets.rail import Rail
from .widgets.statusbar import StatusBar

_GROUPS = (("start",), ("cluster", "users", "push"), ("latency", "matrix"))
_NARROW = 1000


class MainWindow(QMainWindow):
    """Shows the session and passes commands to it; ``close_asked`` when it is to end."""

    close_asked = Signal()

    def __init__(self, context: Context, languages: Languages) -> None:
        super().__init__()
        self.context = context
        self.session = context.session
        self.allow_close = False
        self._todo = ""
        self.setWindowIcon(QIcon(str(ASSETS / "icons" / "pushscope.svg")))
        self.setWindowTitle("Pushscope")
        self.setMinimumSize(QSize(900, 600))
        self.actions_ = Actions(self, context, languages)
        self._build()
        self._build_keys()
        self._connect(languages)
        self._restore()
        self.go_to("start")
        self.retranslate()

    # ---- building ------------------------------------------------------------------------

    def _build(self) -> None:
        context = self.context
        self.topbar = TopBar(context, self.actions_.menu)
        self.rail = Rail(_GROUPS, context.theme)
        self.strip = KpiStrip(headline.KEYS, context.theme)
        self.banner, self.tip = Banner(), Banner()
        self.status = StatusBar(self.session.run, self.session.cluster, context.theme)
        self.start = StartView(context)
        self.cluster = ClusterView(context)
        self.users = UsersView(context)
        self.push = PushView(context)
        self.latency = LatencyView(context)
        self.matrix = MatrixView(context)
        self.views: dict[str, View] = {
            "start": self.start,
            "cluster": self.cluster,
            "users": self.users,
            "push": self.push,
            "latency": self.latency,
            "matrix": self.matrix,
        }
        self._stack = QStackedWidget()
        for view in self.views.values():
            self._stack.addWidget(view)
        page = QWidget()
        page.setObjectName("page")
        inner = QVBoxLayout(page)
        inner.setContentsMargins(16, 16, 16, 16)
        inner.setSpacing(12)
        for widget in (self.banner, self.strip, self.tip):
            inner.addWidget(widget)
        inner.addWidget(self._stack, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(page, 1)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.topbar)
        layout.addLayout(middle, 1)
        layout.addWidget(self.status)
        self.setCentralWidget(whole)
        self.toast = Toast(whole)
        self.coach = Coach(context)

    def _build_keys(self) -> None:
        self.keys = SingleKeys(self, self._toggle_pause)
        self.keys.set_on(self.context.settings.single_keys)
        cluster, users, latency = self.cluster, self.users, self.latency
        self.keys.define(
            "cluster",
            {
                "S": self._start_if_possible,
                "X": self.session.stop,
                "K": cluster.kill_selected,
                "P": cluster.pause_selected,
                "+": self._add_instance,
                "L": cluster.log.text.setFocus,
            },
        )
        self.keys.define(
            "users",
            {"A": users.add_users, "D": users.disconnect_selected, "R": users.reconnect_selected},
        )
        self.keys.define(
            "latency",
            {
                "G": latency.group.next,
                "W": latency.window_choice.next,
                "O": latency.scale.next,
                "T": latency.as_table.toggle,
                "0": latency.director.follow,
                "K": self.coach.do_it,
            },
        )
        self.keys.define("matrix", {"V": self.matrix.next_metric, "K": self.coach.do_it})

    def _connect(self, languages: Languages) -> None:
        session, context = self.session, self.context
        self.rail.chosen.connect(self.go_to)
        self.strip.chosen.connect(self._on_figure)
        self.actions_.view_asked.connect(self.go_to)
        self.actions_.keys_asked.connect(lambda: show_keys(self))
        self.actions_.about_asked.connect(lambda: show_about(self, about_text()))
        self.actions_.single.toggled.connect(self._on_single)
        context.go_to.connect(self.go_to)
        context.beat.connect(self._on_beat)
        self.start.copied.connect(self._on_copied)
        session.problem.connect(self.show_problem)
        session.run.finished.connect(self._on_finished)
        session.run.changed.connect(self._on_run)
        session.demo_started.connect(self._on_started)
        session.first_point.connect(self._on_first_point)
        session.strategy_differs.connect(self._on_strategy)
        self.banner.acted.connect(self._on_banner)
        self.tip.acted.connect(self.coach.do_it)
        self.tip.closed.connect(self._on_tip_closed)
        self.coach.said.connect(self._on_coach)
        self.coach.quiet.connect(self.tip.hide)

    def _restore(self) -> None:
        geometry = self.context.settings.load_geometry()
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1440, 900)

    # ---- views ---------------------------------------------------------------------------

    @property
    def view(self) -> str:
        """The present view."""
        return next(key for key in VIEWS if self.views[key] is self._stack.currentWidget())

    def go_to(self, key: str) -> None:
        """Show a view."""
        self._stack.setCurrentWidget(self.views[key])
        self.rail.select(key)
        self.keys.set_view(key)
        self.strip.setVisible(key != "start")
        self.tip.setVisible(key != "start" and self.coach.speaking)
        if key == "start" and self.isVisible():
            self.start.start.setFocus()
        else:
            self.rail.button(key).setFocus()

    def retranslate(self) -> None:
        """Set the shell's texts in the present language."""
        names = {
            "start": self.tr("Start"),
            "cluster": self.tr("Cluster"),
            "users": self.tr("Users"),
            "push": self.tr("Push"),
            "latency": self.tr("Latency"),
            "matrix": self.tr("Matrix"),
        }
        for key, name in names.items():
            self.rail.button(key).setText(name)
        headline.retranslate(self.strip, self.session)
        self.actions_.retranslate()
        self.coach.repeat()
        self._on_beat()

    # ---- notices -------------------------------------------------------------------------

    def show_problem(self, problem: Problem) -> None:
        """A banner: what happened, what was tried, what to do next."""
        parts = [problem.detail]
        if problem.tried:
            parts.append(self.tr("Tried: {what}").format(what=problem.tried))
        if problem.hint:
            parts.append(self.tr("Next: {what}").format(what=problem.hint))
        action = ""
        self._todo = ""
        if problem.code in ("engine-died", "engine-start"):
            action, self._todo = self.tr("Start the engine again"), "engine"
        elif problem.code in ("ClusterStartError", "PortTakenError", "TargetUnreachable"):
            action, self._todo = self.tr("Try again"), "start"
        level = "warn" if problem.code in ("UsageError", "saturated") else "error"
        title = words.problem(problem.code)
        self.banner.tell(level, title, "\n".join(parts), action=action, copyable=True)

    def _on_finished(self, event: Finished) -> None:
        summary = event.summary
        latency = cast(dict[str, float | None], summary.get("latency_ms", {}))
        text = self.tr("{delivered} of {expected} delivered, {lost} lost, p99 {p99} ms").format(
            delivered=integer(int(summary.get("delivered", 0))),
            expected=integer(int(summary.get("expected", 0))),
            lost=integer(int(summary.get("lost", 0))),
            p99=millis(latency.get("p99")),
        )
        self._todo = ""
        if event.exit_code == 0:
            self.banner.tell("info", self.tr("The run passed"), text)
        else:
            reason = str(summary.get("reason", ""))
            detail = f"{text}\n{reason}".strip()
            self.banner.tell("warn", self.tr("The run did not pass"), detail, copyable=True)
        self.coach.finish()

    def _on_coach(self, text: str, target: str) -> None:
        action = self.tr("Kill {id}").format(id=target) if target else ""
        self.tip.tell("info", text, action=action)
        self.tip.setVisible(self.view != "start")

    def _on_tip_closed(self) -> None:
        self.coach.hush()
        if self.coach.target:
            self.coach.dismiss()

    def _on_strategy(self) -> None:
        addresses = self.session.run.addresses
        text = self.tr("The cluster runs with {old}. Restart it with {new}?")
        self._todo = "restart"
        self.banner.tell(
            "info",
            text.format(old=addresses.strategy if addresses else "", new=self.session.strategy),
            words.strategy(self.session.strategy),
            action=self.tr("Restart"),
        )

    def _on_banner(self) -> None:
        self.banner.hide()
        match self._todo:
            case "engine":
                self.session.open_engine()
            case "start":
                self.session.start()
            case "restart":
                self.session.restart()
            case _:
                pass

    # ---- what happens --------------------------------------------------------------------

    def _on_started(self) -> None:
        self.banner.hide()
        self.context.set_paused(False)
        self.latency.director.follow()
        if not self.session.run.cluster_alive:
            self.go_to("start")  # it shows the checklist

    def _on_first_point(self) -> None:
        if self.view == "start":
            self.go_to("latency")

    def _on_figure(self, key: str) -> None:
        self.go_to(headline.TARGETS[key])

    def _on_copied(self, text: str) -> None:
        self.toast.tell(self.tr("Copied: {text}").format(text=text))

    def _on_run(self) -> None:
        run = self.session.run
        title = "Pushscope" if run.run == "idle" else f"{words.state(run.run)} – Pushscope"
        self.setWindowTitle(title)
        self._on_beat()

    def _on_beat(self) -> None:
        headline.fill_strip(self.strip, self.session)
        headline.fill_rail(self.rail, self.session)
        self.status.refresh()

    def _toggle_pause(self) -> None:
        self.context.set_paused(self.context.paused_at is None)

    def _start_if_possible(self) -> None:
        if self.session.run.next_action == "start":
            self.session.start()

    def _add_instance(self) -> None:
        if self.session.run.cluster == "running":
            self.session.control("add")

    def _on_single(self, on: bool) -> None:
        self.context.settings.single_keys = on
        self.keys.set_on(on)

    # ---- Qt ------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Icons only where the window is narrow."""
        super().resizeEvent(event)
        self.rail.set_wide(self.width() >= _NARROW)
        self.topbar.set_narrow(self.width() < 1180)

    def showEvent(self, event: QShowEvent) -> None:
        """The next action has the focus."""
        super().showEvent(event)
        if self.view == "start":
            self.start.start.setFocus()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask to end: the engine is stopped first, without holding the window's loop."""
        self.context.settings.save_geometry(self.saveGeometry())
        if self.allow_close:
            event.accept()
            return
        event.ignore()
        self.setEnabled(False)
        self.setWindowTitle(self.tr("Stopping – Pushscope"))
        self.close_asked.emit()
