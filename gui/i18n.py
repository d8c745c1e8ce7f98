"""The interface's languages: English in the source, Simplified Chinese as a translation.

Switching is live: Qt sends every widget a ``LanguageChange`` event, and each view sets its texts
again in ``retranslate``. Texts are literal strings in ``tr()``; values go in with ``format``.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator, Signal

from .theme import ASSETS

#: Code and own name of every language, in the order of the menu.
LANGUAGES: tuple[tuple[str, str], ...] = (("en", "English"), ("zh_CN", "简体中文"))

TRANSLATIONS = ASSETS / "translations"


class Languages(QObject):
    """Which language is on; loads and unloads the translations."""

    changed = Signal()

    def __init__(self, app: QCoreApplication, wish: str = "system") -> None:
        super().__init__(app)
        self._app = app
        self._installed: list[QTranslator] = []
        self.wish = wish
        self.current = "en"
        self.set_language(wish)

    def set_language(self, wish: str) -> None:
        """Switch to ``en``, ``zh_CN`` or, with ``system``, to what the desktop speaks."""
        self.wish = wish
        self.current = resolve(wish, QLocale.system())
        for translator in self._installed:
            self._app.removeTranslator(translator)
        self._installed.clear()
        QLocale.setDefault(QLocale(self.current) if self.current != "en" else QLocale("en_US"))
        if self.current != "en":
            qt_folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
            self._install(f"qtbase_{self.current}", qt_folder)
        self._install(f"pushscope_{self.current}", str(TRANSLATIONS))  # English: its plurals
        self.changed.emit()

    def _install(self, name: str, folder: str) -> None:
        translator = QTranslator(self)
        if translator.load(name, folder):
            self._app.installTranslator(translator)
            self._installed.append(translator)


def resolve(wish: str, system: QLocale) -> str:
    """The language to use for a wish; every Chinese desktop gets the one Chinese we have."""
    if wish in dict(LANGUAGES):
        return wish
    return "zh_CN" if system.language() == QLocale.Language.Chinese else "en"
