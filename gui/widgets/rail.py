"""The rail: the views by name, each with a count and a mark when it has news."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from ..plain import set_tip
from ..theme import ASSETS, Theme, ui_font

WIDE, NARROW = 168, 52
_HEIGHT = 34


@dataclass(frozen=True, slots=True)
class Badge:
    """What stands at the right end: a count, and a tone when it is news."""

    text: str = ""
    tone: str = "muted"


class RailButton(QAbstractButton):
    """One view in the rail."""

    def __init__(self, key: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self._theme = theme
        self._badge = Badge()
        self._wide = True
        self._ringed = False
        self._icon = QSvgRenderer(str(ASSETS / "icons" / f"{key}.svg"), self)
        self.setCheckable(True)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self.update)

    def set_badge(self, badge: Badge) -> None:
        """Show a count, or news."""
        if badge != self._badge:
            self._badge = badge
            self.setAccessibleDescription(badge.text)
            self.update()

    @property
    def badge(self) -> Badge:
        """What is shown now."""
        return self._badge

    def set_wide(self, wide: bool) -> None:
        """With or without words."""
        self._wide = wide
        set_tip(self, "" if wide else self.text())
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """A ring for those who came by keyboard."""
        reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._ringed = event.reason() in reasons
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """No ring."""
        self._ringed = False
        super().focusOutEvent(event)

    def sizeHint(self) -> QSize:
        """As wide as the rail."""
        return QSize(WIDE - 20, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Icon, word, badge; a filled field when it is the present view."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        field = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        fill = self._field_colour()
        if fill is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(field, 6, 6)
        if self._ringed:
            painter.setPen(QColor(tokens.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(field, 6, 6)
        ink = QColor(tokens.text if self.isChecked() else tokens.muted)
        left = 10 if self._wide else (self.width() - 16) // 2
        painter.drawPixmap(left, (self.height() - 16) // 2, self._tinted(ink))
        if self._wide:
            self._paint_words(painter)
        elif self._badge.tone != "muted":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(getattr(tokens, self._badge.tone)))
            painter.drawEllipse(QRectF(self.width() - 13, 6, 6, 6))

    def _paint_words(self, painter: QPainter) -> None:
        tokens = self._theme.tokens
        painter.setFont(ui_font(bold=self.isChecked()))
        painter.setPen(QColor(tokens.text if self.isChecked() else tokens.mix(tokens.text, 0.86)))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect().adjusted(36, 0, -8, 0), middle, self.text())
        if self._badge.text:
            news = self._badge.tone != "muted"
            painter.setFont(ui_font(12, bold=news))
            painter.setPen(QColor(getattr(tokens, self._badge.tone)))
            right = middle | Qt.AlignmentFlag.AlignRight
            painter.drawText(self.rect().adjusted(36, 0, -12, 0), right, self._badge.text)

    def _field_colour(self) -> QColor | None:
        tokens = self._theme.tokens
        if self.isChecked():
            return QColor(tokens.mix(tokens.text, 0.10) if tokens.dark else tokens.line).lighter(
                100 if tokens.dark else 106
            )
        if self.underMouse():
            return QColor(tokens.sunken)
        return None

    def _tinted(self, ink: QColor) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(16 * ratio), round(16 * ratio))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self._icon.render(painter)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(pixmap.rect(), ink)
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        return pixmap


class Rail(QWidget):
    """All views in groups; exactly one is chosen."""

    chosen = Signal(str)

    def __init__(
        self, groups: tuple[tuple[str, ...], ...], theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._buttons: dict[str, RailButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 12, 10, 12)
        layout.setSpacing(2)
        for number, keys in enumerate(groups):
            if number:
                layout.addSpacing(10)
            for key in keys:
                made = RailButton(key, theme)
                made.clicked.connect(lambda _checked=False, name=key: self.chosen.emit(name))
                self._group.addButton(made)
                self._buttons[key] = made
                layout.addWidget(made)
        layout.addStretch(1)
        self.setFixedWidth(WIDE)

    def select(self, key: str) -> None:
        """Mark a view as the present one."""
        self._buttons[key].setChecked(True)

    def button(self, key: str) -> RailButton:
        """The button of a view."""
        return self._buttons[key]

    def set_wide(self, wide: bool) -> None:
        """With words, or icons only."""
        self.setFixedWidth(WIDE if wide else NARROW)
        for made in self._buttons.values():
            made.set_wide(wide)
