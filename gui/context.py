"""What every view is given: the session, the theme, and the beat at which things are redrawn."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from .session import Session
from .settings import Settings
from .theme import Theme


class Context(QObject):
    """Shared by the window's parts.

    ``beat`` comes a few times a second (the chart rate); a view that is visible redraws on it and
    never per message. ``paused`` freezes charts; recording goes on.
    """

    beat = Signal()
    paused_changed = Signal()
    go_to = Signal(str)

    def __init__(self, session: Session, theme: Theme, settings: Settings) -> None:
        super().__init__()
        self.session = session
        self.theme = theme
        self.settings = settings
        self._paused_at: float | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.beat)
        self.set_rate(settings.chart_rate)

    def set_rate(self, per_second: int) -> None:
        """Redraw so many times a second from now on."""
        self.settings.chart_rate = per_second
        self._timer.start(round(1000 / per_second))

    @property
    def paused_at(self) -> float | None:
        """The engine's time at which charts were frozen; None while they move."""
        return self._paused_at

    def set_paused(self, paused: bool) -> None:
        """Freeze or resume the charts."""
        if paused != (self._paused_at is not None):
            self._paused_at = self.session.run.now if paused else None
            self.paused_changed.emit()

    def stop(self) -> None:
        """No more beats; the window closes."""
        self._timer.stop()
