"""Menu, shortcuts and single keys: everything that the window does can be done from the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QMainWindow,
    QMenu,
    QWidget,
)

from .context import Context
from .i18n import LANGUAGES, Languages
from .theme import ThemeMode

VIEWS = ("start", "cluster", "users", "push", "latency", "matrix")

_THEMES: tuple[ThemeMode, ...] = ("system", "light", "dark")
_RATES = (1, 4, 10)


class Actions(QObject):
    """Makes the menu and its actions, and follows the language."""

    view_asked = Signal(str)
    keys_asked = Signal()
    about_asked = Signal()

    def __init__(self, window: QMainWindow, context: Context, languages: Languages) -> None:
        super().__init__(window)
        self._window = window
        self._context = context
        self._languages = languages
        self.menu = QMenu(window)
        self._submenus: dict[str, QMenu] = {}
        self._actions: dict[str, QAction] = {}
        self._build_run()
        self._build_views()
        self._build_looks()
        self._build_rest()
        context.session.run.changed.connect(self.refresh)
        self.retranslate()

    def action(self, key: str) -> QAction:
        """An action by its key, for tests and other parts."""
        return self._actions[key]

    # ---- building ------------------------------------------------------------------------

    def _add(
        self, key: str, slot: Callable[[], object], keys: str = "", menu: QMenu | None = None
    ) -> QAction:
        action = QAction(self._window)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _checked=False: slot())
        self._actions[key] = action
        self._window.addAction(action)
        (menu or self.menu).addAction(action)
        return action

    def _submenu(self, key: str) -> QMenu:
        made = QMenu(self.menu)
        self._submenus[key] = made
        self.menu.addMenu(made)
        return made

    def _build_run(self) -> None:
        session = self._context.session
        self._add("start", self._start, "F5")
        self._add("stop", self._stop, "Shift+F5")
        self._add("stop-cluster", session.stop_cluster)
        self._add("restart", session.restart)
        self.menu.addSeparator()

    def _build_views(self) -> None:
        views = self._submenu("views")
        for number, key in enumerate(VIEWS):
            self._add(f"view-{key}", lambda name=key: self.view_asked.emit(name), f"Ctrl+{number}", views)

    def _build_looks(self) -> None:
        settings = self._context.settings
        themes = self._submenu("theme")
        group = QActionGroup(self)
        for mode in _THEMES:
            action = self._add(f"theme-{mode}", lambda wish=mode: self._set_theme(wish), menu=themes)
            self._check(action, group, self._context.theme.mode == mode)
        languages = self._submenu("language")
        group = QActionGroup(self)
        for code, name in (("system", ""), *LANGUAGES):
            action = self._add(f"language-{code}", lambda wish=code: self._set_language(wish), menu=languages)
            action.setText(name)
            self._check(action, group, self._languages.wish == code)
        rates = self._submenu("rate")
        group = QActionGroup(self)
        for rate in _RATES:
            action = self._add(f"rate-{rate}", lambda wish=rate: self._context.set_rate(wish), menu=rates)
            self._check(action, group, settings.chart_rate == rate)

    def _build_rest(self) -> None:
        self.single = QAction(self._window)
        self.single.setCheckable(True)
        self.single.setChecked(self._context.settings.single_keys)
        self.menu.addAction(self.single)
        full = self._add("full-screen", self._full_screen, "F11")
        full.setCheckable(True)
        self.menu.addSeparator()
        self._add("keys", self.keys_asked.emit, "F1")
        self._add("about", self.about_asked.emit)
        self.menu.addSeparator()
        self._add("quit", self._window.close, "Ctrl+Q")

    def _check(self, action: QAction, group: QActionGroup, on: bool) -> None:
        action.setCheckable(True)
        action.setChecked(on)
        group.addAction(action)

    # ---- texts and states ----------------------------------------------------------------

    def retranslate(self) -> None:
        """Set every text in the present language."""
        texts = {
            "start": self.tr("&Start"),
            "stop": self.tr("S&top, again: stop now"),
            "stop-cluster": self.tr("Stop the &cluster"),
            "restart": self.tr("&Restart the cluster"),
            "view-start": self.tr("Start"),
            "view-cluster": self.tr("Cluster"),
            "view-users": self.tr("Users"),
            "view-push": self.tr("Push"),
            "view-latency": self.tr("Latency"),
            "view-matrix": self.tr("Matrix"),
            "theme-system": self.tr("As the system"),
            "theme-light": self.tr("Light"),
            "theme-dark": self.tr("Dark"),
            "language-system": self.tr("As the system"),
            "rate-1": self.tr("Once a second"),
            "rate-4": self.tr("4 times a second"),
            "rate-10": self.tr("10 times a second"),
            "full-screen": self.tr("&Full screen"),
            "keys": self.tr("&Keys"),
            "about": self.tr("&About Pushscope"),
            "quit": self.tr("&Quit"),
        }
        for key, text in texts.items():
            self._actions[key].setText(text)
        self._submenus["views"].setTitle(self.tr("&View"))
        self._submenus["theme"].setTitle(self.tr("T&heme"))
        self._submenus["language"].setTitle(self.tr("&Language"))
        self._submenus["rate"].setTitle(self.tr("&Draw charts"))
        self.single.setText(self.tr("Single &letters are shortcuts"))
        self.refresh()

    def refresh(self) -> None:
        """Only what is possible now is enabled."""
        run = self._context.session.run
        action = run.next_action
        self._actions["start"].setEnabled(action == "start")
        self._actions["stop"].setEnabled(action in ("stop", "force", "cancel"))
        self._actions["stop-cluster"].setEnabled(run.cluster in ("starting", "running"))
        self._actions["restart"].setEnabled(run.cluster == "running")

    # ---- slots ---------------------------------------------------------------------------

    def _start(self) -> None:
        self._context.session.next_action()

    def _stop(self) -> None:
        self._context.session.next_action()

    def _set_theme(self, mode: ThemeMode) -> None:
        self._context.settings.theme = mode
        self._context.theme.set_mode(mode)

    def _set_language(self, wish: str) -> None:
        self._context.settings.language = wish
        self._languages.set_language(wish)

    def _full_screen(self) -> None:
        if self._window.isFullScreen():
            self._window.showNormal()
        else:
            self._window.showFullScreen()


class SingleKeys(QObject):
    """Single letters, each meaning what the present view says.

    Text fields claim letters for themselves (Qt asks them first), so typing is never disturbed.
    Space belongs to a focused button, box or list; otherwise it pauses the charts.
    """

    def __init__(self, window: QWidget, pause: Callable[[], object]) -> None:
        super().__init__(window)
        self._window = window
        self._shortcuts: dict[str, QShortcut] = {}
        self._meanings: dict[str, dict[str, Callable[[], object]]] = {}
        self._view = ""
        self._on = True
        self._space = QShortcut(QKeySequence(Qt.Key.Key_Space), window)
        self._space.activated.connect(lambda: pause())
        app = cast(QApplication, QApplication.instance())
        app.focusChanged.connect(self._on_focus)

    def define(self, view: str, keys: dict[str, Callable[[], object]]) -> None:
        """What keys mean in a view."""
        self._meanings[view] = keys
        for key in keys:
            if key not in self._shortcuts:
                made = QShortcut(QKeySequence(key), self._window)
                made.activated.connect(lambda name=key: self._press(name))
                self._shortcuts[key] = made
        self._refresh()

    def set_view(self, view: str) -> None:
        """The present view."""
        self._view = view
        self._refresh()

    def set_on(self, on: bool) -> None:
        """Switch all single keys on or off."""
        self._on = on
        self._refresh()

    def _press(self, key: str) -> None:
        meaning = self._meanings.get(self._view, {}).get(key)
        if meaning is not None:
            meaning()

    def _refresh(self) -> None:
        active = self._meanings.get(self._view, {})
        for key, made in self._shortcuts.items():
            made.setEnabled(self._on and key in active)
        self._space.setEnabled(self._on)

    def _on_focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        claims = isinstance(now, QAbstractButton | QComboBox | QAbstractItemView)
        self._space.setEnabled(self._on and not claims)
