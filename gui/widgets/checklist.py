"""The start-up checklist: each step with its state, its count and how long it took."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from core.environment import StartStep

from .. import words
from ..format import seconds
from ..theme import Theme, mono_font
from .blocks import label, wrapping

_MARKS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✕"}
_TONES = {"waiting": "muted", "running": "accent", "done": "ok", "failed": "danger"}


class Checklist(QWidget):
    """One row per step, in a fixed order; a failed step shows the tail of its log."""

    def __init__(self, order: tuple[str, ...], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: dict[str, tuple[QLabel, QLabel, QLabel, QLabel]] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(7)
        grid.setColumnStretch(1, 1)
        for number, key in enumerate(order):
            mark, name, progress, took = label(), label(), label("muted"), label("muted")
            mark.setFixedWidth(14)
            mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
            took.setMinimumWidth(44)
            took.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for place, item in enumerate((mark, name, progress, took)):
                grid.addWidget(item, number, place)
            self._rows[key] = (mark, name, progress, took)
        self._log = wrapping("danger")
        self._log.setFont(mono_font(11))
        self._log.hide()
        grid.addWidget(self._log, len(order), 0, 1, 4)

    def show_steps(self, steps: dict[str, StartStep]) -> None:
        """Show the steps; one that has not been reported yet is waiting."""
        detail = ""
        for key, (mark, name, progress, took) in self._rows.items():
            step = steps.get(key, StartStep(key, "waiting"))
            mark.setText(_MARKS[step.state])
            tone = getattr(self._theme.tokens, _TONES[step.state])
            mark.setStyleSheet(f"color: {tone}; font-weight: 600;")
            name.setText(words.step(key))
            name.setEnabled(step.state != "waiting")
            progress.setText(f"{step.done}/{step.total}" if step.total > 1 else "")
            shown = step.state in ("done", "failed") or step.seconds >= 0.05
            took.setText(f"{seconds(step.seconds)} s" if shown else "")
            self.setAccessibleDescription(name.text())
            if step.state == "failed":
                detail = step.detail
        self._log.setText(detail)
        self._log.setVisible(bool(detail))
