"""The top bar: where, what, how, and the one next action."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QMenu,
    QSpinBox,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from . import words
from .context import Context
from .format import integer
from .models.run import NextAction
from .plain import set_tip, tip
from .session import STRATEGIES, Strategy
from .settings import TRANSPORT_CHOICES
from .theme import ASSETS
from .widgets.blocks import button, label, number_box, wrapping


class Field(QToolButton):
    """A button that shows a choice and opens a small form to change it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "field")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the chevron after the text
        self.setIconSize(QSize(10, 10))
        self._menu = QMenu(self)
        body = QWidget()
        body.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # not as the button
        self.form = QFormLayout(body)
        self.form.setContentsMargins(12, 10, 12, 10)
        self.form.setHorizontalSpacing(16)
        self.note = wrapping("muted")
        self.note.setMinimumWidth(230)
        action = QWidgetAction(self)
        action.setDefaultWidget(body)
        self._menu.addAction(action)
        self.setMenu(self._menu)

    def add_number(self, low: int, high: int, value: int, changed: Callable[[int], None]) -> QSpinBox:
        """A number in the form; ``changed`` is called with every new value."""
        box = number_box(low, high, value)
        box.setMinimumWidth(110)
        box.valueChanged.connect(changed)
        return box

    def set_chevron(self, icon: QIcon) -> None:
        """The sign that it opens something."""
        self.setIcon(icon)


class TopBar(QWidget):
    """Environment, scenario, strategy; pause; start or stop; the menu."""

    def __init__(self, context: Context, menu: QMenu) -> None:
        super().__init__()
        self.setObjectName("topbar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(48)
        self._context = context
        self._session, self._settings = context.session, context.settings
        self._build_fields()
        self.pause = button()
        self.pause.setCheckable(True)
        self.pause.clicked.connect(context.set_paused)
        self.action = button("primary")
        self.action.setMinimumWidth(92)
        self.action.clicked.connect(self._session.next_action)
        self.menu_button = QToolButton()
        self.menu_button.setProperty("role", "field")
        self.menu_button.setText("☰")
        self.menu_button.setMenu(menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._lay_out()
        self._session.run.changed.connect(self.refresh)
        context.paused_changed.connect(self.refresh)
        context.theme.changed.connect(self._on_theme)
        self._on_theme()
        self.retranslate()

    def _build_fields(self) -> None:
        settings = self._settings
        self._brand_icon = label()
        icon = QIcon(str(ASSETS / "icons" / "pushscope.svg"))
        self._brand_icon.setPixmap(icon.pixmap(QSize(22, 22), self.devicePixelRatioF()))
        self._brand = label("brand", "Pushscope")
        self._environment, self._scenario = Field(), Field()
        self._instances = self._environment.add_number(1, 16, settings.instances, self._on_instances)
        self._users = self._scenario.add_number(1, 20_000, settings.users, self._on_users)
        self._rate = self._scenario.add_number(0, 20_000, settings.rate, self._on_rate)
        self.transports = QComboBox()
        for key in TRANSPORT_CHOICES:
            self.transports.addItem(key, key)
        self.transports.setCurrentIndex(TRANSPORT_CHOICES.index(settings.transports))
        self.transports.currentIndexChanged.connect(self._on_transports)
        self._names = {key: label() for key in ("instances", "users", "rate", "transports")}
        self._environment.form.addRow(self._names["instances"], self._instances)
        self._environment.form.addRow(self._environment.note)
        self._scenario.form.addRow(self._names["users"], self._users)
        self._scenario.form.addRow(self._names["rate"], self._rate)
        self._scenario.form.addRow(self._names["transports"], self.transports)
        self._scenario.form.addRow(self._scenario.note)
        self.strategy = QComboBox()
        for key in STRATEGIES:
            self.strategy.addItem(key, key)
        self.strategy.setCurrentText(self._session.strategy)
        self.strategy.currentTextChanged.connect(self._on_strategy)

    def _lay_out(self) -> None:
        self._captions = {key: label("muted") for key in ("environment", "scenario", "strategy")}
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 0, 12, 0)
        line.setSpacing(8)
        line.addWidget(self._brand_icon)
        line.addWidget(self._brand)
        for key, widget in (
            ("environment", self._environment),
            ("scenario", self._scenario),
            ("strategy", self.strategy),
        ):
            line.addSpacing(16)
            line.addWidget(self._captions[key])
            line.addWidget(widget)
            self._captions[key].setBuddy(widget)
        line.addStretch(1)
        line.addWidget(self.pause)
        line.addWidget(self.action)
        line.addWidget(self.menu_button)

    @property
    def environment_text(self) -> str:
        """What the environment field says."""
        return self._environment.text()

    def set_narrow(self, narrow: bool) -> None:
        """Without captions where the window is narrow."""
        for caption in self._captions.values():
            caption.setVisible(not narrow)

    def retranslate(self) -> None:
        """Set every text in the present language."""
        self._captions["environment"].setText(self.tr("Environment"))
        self._captions["scenario"].setText(self.tr("Scenario"))
        self._captions["strategy"].setText(self.tr("Strategy"))
        self._names["instances"].setText(self.tr("Instances"))
        self._names["users"].setText(self.tr("Users"))
        self._names["rate"].setText(self.tr("Pushes per second"))
        self._names["transports"].setText(self.tr("Connected by"))
        for place, key in enumerate(TRANSPORT_CHOICES):
            self.transports.setItemText(place, words.transport(key))
        note = self.tr("Counts from the next start on.")
        self._environment.note.setText(
            self.tr("A cluster of processes on this machine, on free ports of 127.0.0.1.") + " " + note
        )
        self._scenario.note.setText(note + " " + self.tr("The Push view changes the rate of a run."))
        for place, key in enumerate(STRATEGIES):
            self.strategy.setItemData(place, tip(words.strategy(key)), Qt.ItemDataRole.ToolTipRole)
        set_tip(self.menu_button, self.tr("Menu"))
        for widget, name in (
            (self._environment, self._captions["environment"].text()),
            (self._scenario, self._captions["scenario"].text()),
            (self.strategy, self._captions["strategy"].text()),
            (self.menu_button, self.tr("Menu")),
        ):
            widget.setAccessibleName(name)
        self.refresh()

    def refresh(self) -> None:
        """The fields' values and the next action."""
        settings = self._settings
        self._environment.setText(self.tr("Local cluster, %n instance(s)", "", settings.instances))
        text = self.tr("{users} users, {rate}/s").format(
            users=integer(settings.users), rate=integer(settings.rate)
        )
        if settings.transports != "websocket":
            text += f" · {words.transport(settings.transports)}"
        self._scenario.setText(text)
        set_tip(self.strategy, words.strategy(self._session.strategy))
        action = self._session.run.next_action
        texts: dict[NextAction, str] = {
            "start": self.tr("Start"),
            "cancel": self.tr("Cancel"),
            "stop": self.tr("Stop"),
            "force": self.tr("Stop now"),
            "wait": self.tr("Stopping…"),
        }
        self.action.setText(texts[action])
        self.action.setEnabled(action != "wait")
        set_tip(self.action, "F5" if action == "start" else "Shift+F5")
        paused = self._context.paused_at is not None
        self.pause.setChecked(paused)
        self.pause.setText(self.tr("Resume charts") if paused else self.tr("Pause charts"))
        set_tip(self.pause, self.tr("Space"))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)

    def _on_theme(self) -> None:
        shade = "dark" if self._context.theme.tokens.dark else "light"
        icon = QIcon(str(ASSETS / "icons" / f"chevron-{shade}.svg"))
        self._environment.set_chevron(icon)
        self._scenario.set_chevron(icon)

    def _on_instances(self, value: int) -> None:
        self._settings.instances = value
        self.refresh()

    def _on_users(self, value: int) -> None:
        self._settings.users = value
        self.refresh()

    def _on_rate(self, value: int) -> None:
        self._settings.rate = value
        self.refresh()

    def _on_transports(self, place: int) -> None:
        self._settings.transports = TRANSPORT_CHOICES[place]
        self.refresh()

    def _on_strategy(self, key: str) -> None:
        self._session.choose_strategy(cast(Strategy, key))
        self.refresh()
