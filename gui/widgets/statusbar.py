"""The bar at the bottom: how engine, instances and broker are, and how old the numbers are."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from .. import words
from ..format import decimal, integer
from ..models.cluster import ClusterModel
from ..models.run import RunModel
from ..theme import Theme
from .blocks import Dot, label

#: Above these the engine is no longer a trustworthy stopwatch.
_LAG_WARN_MS = 20.0
_CPU_WARN = 85.0

#: Snapshots come ten times a second; after this many seconds without one something is wrong.
_SILENT_AFTER = 3.0


class StatusBar(QWidget):
    """Dots and words; every dot has its word beside it."""

    def __init__(self, run: RunModel, cluster: ClusterModel, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("statusbar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(26)
        self._run, self._cluster, self._theme = run, cluster, theme
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 0, 16, 0)
        line.setSpacing(7)
        self._dots: list[Dot] = []
        self._texts: list[QLabel] = []
        for _ in range(3):
            dot, text = Dot(), label()
            self._dots.append(dot)
            self._texts.append(text)
            line.addWidget(dot)
            line.addWidget(text)
            line.addSpacing(14)
        line.addStretch(1)
        self._sender, self._age = label(), label()
        line.addWidget(self._sender)
        line.addSpacing(16)
        line.addWidget(self._age)
        self.refresh()

    def refresh(self) -> None:
        """Show the present state."""
        self._show_engine()
        self._show_instances()
        self._show_broker()
        age, latest = self._run.age, self._run.latest
        live = self._run.is_live and latest is not None
        lag = latest.sender_lag_ms if latest is not None else 0.0
        self._sender.setText(self.tr("sender lag {ms} ms").format(ms=decimal(lag)) if live else "")
        self._age.setText("" if age is None else self.tr("updated {s} s ago").format(s=decimal(age)))

    def texts(self) -> list[str]:
        """Everything it says, for tests."""
        return [text.text() for text in (*self._texts, self._sender, self._age)]

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.refresh()
        super().changeEvent(event)

    def _show_engine(self) -> None:
        latest = self._run.latest
        if not self._run.engine_alive:
            self._show(0, "danger", self.tr("engine not running"))
            return
        if latest is None:
            self._show(0, "ok", self.tr("engine ready"))
            return
        age = self._run.age
        if self._run.is_live and age is not None and age > _SILENT_AFTER:
            self._show(0, "danger", self.tr("engine silent for {s} s").format(s=decimal(age, 0)))
            return
        busy = latest.engine_lag_ms > _LAG_WARN_MS or latest.engine_cpu_percent > _CPU_WARN
        text = self.tr("engine {cpu} % CPU, lag {lag} ms").format(
            cpu=decimal(latest.engine_cpu_percent, 0), lag=decimal(latest.engine_lag_ms)
        )
        self._show(0, "warn" if busy else "ok", text)

    def _show_instances(self) -> None:
        total, ready = len(self._cluster.instances), self._cluster.ready_count
        if not total:
            self._show(1, "muted", self.tr("no instances"))
            return
        text = self.tr("{ready}/{total} instances").format(ready=integer(ready), total=integer(total))
        self._show(1, "ok" if ready == total else "warn" if ready else "danger", text)

    def _show_broker(self) -> None:
        part = next((part for part in self._cluster.parts if part.name == "broker"), None)
        addresses = self._run.addresses
        kind = words.broker(addresses.broker) if addresses is not None else ""
        if part is None and not kind:
            self._show(2, "muted", self.tr("no broker"))
            return
        cut_off = len(self._cluster.cut_off)
        if cut_off:
            text = self.tr("broker {kind}: {n} of {all} cut off").format(
                kind=kind, n=integer(cut_off), all=integer(len(self._cluster.instances))
            )
            self._show(2, "danger", text)
            return
        good = part is None or part.state == "ready"
        self._show(2, "ok" if good else "danger", self.tr("broker {kind}").format(kind=kind))

    def _show(self, place: int, tone: str, text: str) -> None:
        self._dots[place].set_colour(getattr(self._theme.tokens, tone))
        self._texts[place].setText(text)
