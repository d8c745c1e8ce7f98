"""One process of the cluster as a card: what it is, how it is, and what can be done to it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QMouseEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from core.clock import now_ns
from core.environment import Action, InstanceInfo, Part

from .. import words
from ..context import Context
from ..format import NONE, decimal, integer, mebibytes, rate, short_clock
from ..models.cluster import port_of
from ..models.series import BUCKET
from ..plain import set_tip
from ..widgets.blocks import Card, Dot, Elided, button, column, label, restyle, row
from ..widgets.swatch import Swatch

_TONES = {
    "starting": "warn",
    "ready": "ok",
    "paused": "warn",
    "stopping": "warn",
    "stopped": "muted",
    "dead": "danger",
}


_BY_KEY = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


def state_tone(state: str) -> str:
    """The colour token of a process's state."""
    return _TONES.get(state, "muted")


class InstanceCard(Card):
    """An instance with its figures and its buttons; click or focus selects it."""

    acted = Signal(str, str)
    picked = Signal(str)

    def __init__(self, context: Context, name: str) -> None:
        super().__init__(margin=14, spacing=10)
        self.name = name
        self._context = context
        self._info: InstanceInfo | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._dot, self._state = Dot(), label("muted")
        title = label("heading", name)
        swatch = Swatch(context.theme, context.session.cluster.index(name))
        self.body.addLayout(row(swatch, title, 1, self._dot, self._state))
        self._address = label("muted")
        self.body.addWidget(self._address)
        self._build_figures()
        self._build_buttons()
        self.retranslate()

    def _build_figures(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        self._captions: dict[str, QLabel] = {}
        self._figures: dict[str, QLabel] = {}
        keys = ("sessions", "in", "out", "cpu", "memory", "uptime")
        for number, key in enumerate(keys):
            caption, figure = label("muted"), label("title")
            self._captions[key], self._figures[key] = caption, figure
            grid.addLayout(column(caption, figure, spacing=0), number // 3, number % 3)
            grid.setColumnStretch(number % 3, 1)
        self.body.addLayout(grid)

    def _build_buttons(self) -> None:
        self.buttons = {
            "kill": button("danger", small=True),
            "pause": button(small=True),
            "drain": button(small=True),
            "stop": button(small=True),
            "remove": button(small=True),
        }
        for key, made in self.buttons.items():
            made.clicked.connect(lambda _checked=False, name=key: self._act(name))
        self.body.addStretch(1)
        self.body.addLayout(row(*self.buttons.values(), 1, spacing=6))

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._captions["sessions"].setText(self.tr("Sessions"))
        self._captions["in"].setText(self.tr("Pushes/s"))
        self._captions["out"].setText(self.tr("Delivered/s"))
        self._captions["cpu"].setText(self.tr("CPU, %"))
        self._captions["memory"].setText(self.tr("Memory, MiB"))
        self._captions["uptime"].setText(self.tr("Uptime"))
        self.buttons["kill"].setText(self.tr("Kill"))
        set_tip(self.buttons["kill"], self.tr("End the process at once, as kill -9 does (K)"))
        self.buttons["stop"].setText(self.tr("Stop"))
        set_tip(self.buttons["stop"], self.tr("Ask it to stop; it says goodbye to its users"))
        self.buttons["remove"].setText(self.tr("Remove"))
        if self._info is not None:
            self.show_info(self._info)

    @property
    def state_text(self) -> str:
        """How the instance is, in words."""
        return self._state.text()

    def show_info(self, info: InstanceInfo) -> None:
        """Show the instance as it is now."""
        self._info = info
        tone, state = self._how(info)
        self._dot.set_colour(getattr(self._context.theme.tokens, tone))
        self._state.setText(state)
        set_tip(self._state, info.broker_trouble)
        pid = self.tr("pid {pid}").format(pid=info.pid) if info.pid is not None else ""
        self._address.setText(
            " · ".join(part for part in (f":{port_of(info.push_url) or NONE}", pid) if part)
        )
        self._show_figures(info)
        alive = info.state in ("ready", "paused", "starting")
        for key in ("kill", "pause", "drain", "stop"):
            self.buttons[key].setVisible(alive)
        self.buttons["pause"].setEnabled(info.state in ("ready", "paused"))
        self.buttons["drain"].setEnabled(info.state == "ready")
        self.buttons["remove"].setVisible(not alive)
        paused = info.state == "paused"
        self.buttons["pause"].setText(self.tr("Resume") if paused else self.tr("Pause"))
        set_tip(self.buttons["pause"], self.tr("Freeze the process or let it go on (P)"))
        self.buttons["drain"].setText(self.tr("Undrain") if info.draining else self.tr("Drain"))
        set_tip(
            self.buttons["drain"],
            self.tr("Give it new users again")
            if info.draining
            else self.tr("Keep its users, but give it no new ones"),
        )
        self.setAccessibleName(f"{self.name}, {state}")

    def _how(self, info: InstanceInfo) -> tuple[str, str]:
        """The tone and the word for how it is."""
        if info.cut_off:
            return "danger", self.tr("No broker")
        if info.draining and info.state == "ready":
            return "warn", self.tr("Out of service")
        return state_tone(info.state), words.state(info.state)

    def set_selected(self, selected: bool) -> None:
        """Outline the card whose log is shown."""
        restyle(self, "selected", selected)

    def toggle_pause(self) -> None:
        """Pause or resume."""
        self._act("pause")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select."""
        self.picked.emit(self.name)
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select when the focus was brought here by key."""
        if event.reason() in _BY_KEY:
            self.picked.emit(self.name)
        super().focusInEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)

    def _show_figures(self, info: InstanceInfo) -> None:
        alive = info.state in ("ready", "paused")
        run, series = self._context.session.run, self._context.session.series
        span = (run.now - 2.5, run.now - 2 * BUCKET)
        figures = self._figures
        figures["sessions"].setText(integer(info.sessions) if alive and info.sessions >= 0 else NONE)
        for key, side in (("in", "via"), ("out", "on")):
            counts = series.per_second(f"{side}:{self.name}", "count", *span, 1)
            shown = alive and run.is_live and len(counts) > 0
            figures[key].setText(rate(float(counts.mean())) if shown else NONE)
        figures["cpu"].setText(decimal(info.cpu_percent, 0) if alive and info.cpu_percent >= 0 else NONE)
        figures["memory"].setText(mebibytes(info.rss_bytes) if alive else NONE)
        up = (now_ns() - info.started_ns) / 1e9 if info.started_ns else None
        figures["uptime"].setText(short_clock(up) if up is not None and alive else NONE)

    def _act(self, key: str) -> None:
        action: Action
        match key:
            case "kill":
                action = "kill"
            case "pause":
                paused = self._info is not None and self._info.state == "paused"
                action = "resume" if paused else "pause"
            case "drain":
                action = "undrain" if self._info is not None and self._info.draining else "drain"
            case "stop":
                action = "stop"
            case _:
                action = "remove"
        self.acted.emit(action, self.name)


class PartCard(Card):
    """Gateway, discovery or broker: one line."""

    picked = Signal(str)

    def __init__(self, context: Context, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, margin=14, spacing=6)
        self.body.setContentsMargins(14, 10, 14, 10)
        self.name = name
        self._context = context
        self._part: Part | None = None
        self._dot, self._state = Dot(), label("muted")
        self._title, self._address = label("heading"), Elided("muted")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.body.addLayout(row(self._title, self._address, 1, self._dot, self._state, spacing=10))

    @property
    def state_text(self) -> str:
        """How the process is, in words."""
        return self._state.text()

    def show_part(self, part: Part, note: str = "", trouble: str = "") -> None:
        """Show the process as it is now; ``trouble`` is what is wrong with it seen from others."""
        self._part = part
        self._title.setText(words.part(part.name))
        tone = "danger" if trouble else state_tone(part.state)
        self._dot.set_colour(getattr(self._context.theme.tokens, tone))
        self._state.setText(trouble or words.state(part.state))
        pid = self.tr("pid {pid}").format(pid=part.pid) if part.pid is not None else ""
        self._address.setText(" · ".join(item for item in (part.url, pid, note) if item))
        self.setAccessibleName(f"{self._title.text()}, {self._state.text()}")

    def set_selected(self, selected: bool) -> None:
        """Outline the card whose log is shown."""
        restyle(self, "selected", selected)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select."""
        self.picked.emit(self.name)
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select when the focus was brought here by key."""
        if event.reason() in _BY_KEY:
            self.picked.emit(self.name)
        super().focusInEvent(event)


class CrowdCard(Card):
    """The simulated users, as one box before the gateway."""

    def __init__(self, context: Context) -> None:
        super().__init__(margin=14, spacing=6)
        self.body.setContentsMargins(14, 10, 14, 10)
        self._run = context.session.run
        self._title, self._text = label("heading"), Elided("muted")
        self.body.addLayout(row(self._title, self._text, 1, spacing=10))

    def refresh(self) -> None:
        """Show how many there are, and what they are sent."""
        latest = self._run.latest
        self._title.setText(self.tr("Users"))
        connected = latest.users_connected if latest is not None else 0
        total = latest.users_total if latest is not None else 0
        parts = [self.tr("{n} of {all} connected").format(n=integer(connected), all=integer(total))]
        if latest is not None and self._run.run == "running":
            parts.append(self.tr("{rate} pushes/s").format(rate=rate(latest.push_rate)))
        self._text.setText(" · ".join(parts))
