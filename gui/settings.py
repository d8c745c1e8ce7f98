"""What the window remembers between starts; every key is declared here once, with its type."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings

from core.load.transports import TRANSPORTS

from .theme import ThemeMode

#: Bump when the meaning of a stored window state changes; older ones are then ignored.
STATE_VERSION = 1

#: What users may connect with, in the order of a menu; ``mixed`` is some of each.
TRANSPORT_CHOICES = (*TRANSPORTS, "mixed")


class Settings:
    """Typed access to a ``QSettings``; a value that cannot be read is its default."""

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store if store is not None else QSettings("Pushscope", "Pushscope")

    @property
    def theme(self) -> ThemeMode:
        """``system``, ``light`` or ``dark``."""
        value = self._text("theme", "system")
        return value if value in ("system", "light", "dark") else "system"

    @theme.setter
    def theme(self, value: ThemeMode) -> None:
        self._store.setValue("theme", value)

    @property
    def language(self) -> str:
        """``system`` or a language code such as ``en`` or ``zh_CN``."""
        return self._text("language", "system")

    @language.setter
    def language(self, value: str) -> None:
        self._store.setValue("language", value)

    @property
    def single_keys(self) -> bool:
        """Whether single letters are shortcuts (a WCAG rule asks for a switch)."""
        return bool(self._store.value("single_keys", True, type=bool))

    @single_keys.setter
    def single_keys(self, value: bool) -> None:
        self._store.setValue("single_keys", value)

    @property
    def chart_rate(self) -> int:
        """How often charts are drawn, per second: 1, 4 or 10."""
        value = self._number("chart_rate", 4)
        return value if value in (1, 4, 10) else 4

    @chart_rate.setter
    def chart_rate(self, value: int) -> None:
        self._store.setValue("chart_rate", value)

    @property
    def instances(self) -> int:
        """Instances of the next local cluster."""
        return min(16, max(1, self._number("instances", 3)))

    @instances.setter
    def instances(self, value: int) -> None:
        self._store.setValue("instances", value)

    @property
    def users(self) -> int:
        """Simulated users of the next run."""
        return min(20_000, max(1, self._number("users", 60)))

    @users.setter
    def users(self, value: int) -> None:
        self._store.setValue("users", value)

    @property
    def rate(self) -> int:
        """Pushes per second of the next run."""
        return min(20_000, max(0, self._number("rate", 40)))

    @rate.setter
    def rate(self, value: int) -> None:
        self._store.setValue("rate", value)

    @property
    def transports(self) -> str:
        """What the users of the next run connect with: a transport's name, or ``mixed``."""
        value = str(self._store.value("transports", "websocket"))
        return value if value in TRANSPORT_CHOICES else "websocket"

    @transports.setter
    def transports(self, value: str) -> None:
        self._store.setValue("transports", value)

    @property
    def tip_dismissed(self) -> bool:
        """Whether the "Try it" strip was closed by hand."""
        return bool(self._store.value("tip_dismissed", False, type=bool))

    @tip_dismissed.setter
    def tip_dismissed(self, value: bool) -> None:
        self._store.setValue("tip_dismissed", value)

    def load_geometry(self) -> QByteArray | None:
        """The window's last geometry, or None."""
        if self._number("state_version", 0) != STATE_VERSION:
            return None
        value = self._store.value("geometry")
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None

    def save_geometry(self, value: QByteArray) -> None:
        """Remember the window's geometry."""
        self._store.setValue("state_version", STATE_VERSION)
        self._store.setValue("geometry", value)

    def _text(self, key: str, default: str) -> str:
        return str(self._store.value(key, default, type=str))

    def _number(self, key: str, default: int) -> int:
        try:
            return int(str(self._store.value(key, default)))
        except ValueError:
            return default
