"""The simulated users as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from PySide6.QtCore import QCoreApplication, QObject

from core.load.transports import PLAIN, transport_of
from core.report.figures import UserRow

from .. import words
from ..format import NONE, integer, short_clock
from .run import RunModel
from .tables import Column, RowsModel

_TONES = {
    "connected": "ok",
    "connecting": "muted",
    "reconnecting": "warn",
    "disconnected": "muted",
    "failed": "danger",
}

_LETTERS = {
    "connected": "✓",
    "connecting": "…",
    "reconnecting": "↻",
    "disconnected": "○",
    "failed": "✕",
}


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which user-10 comes after user-9."""
    parts = re.split(r"(\d+)", text)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


class UsersModel(RowsModel[UserRow]):
    """One row per user; texts of the time column follow the engine's clock."""

    def __init__(self, run: RunModel, parent: QObject | None = None) -> None:
        self._run = run
        #: Shares of what the users connect with.
        self.transports: Mapping[str, int] = PLAIN
        super().__init__(
            (
                Column(_user, lambda row: row.user, key=lambda row: natural(row.user)),
                Column(
                    _state,
                    lambda row: f"{_LETTERS[row.state]} {words.state(row.state)}",
                    tone=lambda row: _TONES[row.state],
                ),
                Column(_on, lambda row: row.on or NONE, swatch=lambda row: row.on),
                Column(_transport, lambda row: words.transport(transport_of(row.user, self.transports))),
                Column(_since, self._since, right=True, key=lambda row: -row.connected_t),
                Column(_reconnects, lambda row: integer(row.reconnects), True, lambda row: row.reconnects),
                Column(_received, lambda row: integer(row.received), True, lambda row: row.received),
                Column(
                    _code,
                    lambda row: str(row.close_code) if row.close_code else NONE,
                    True,
                    lambda row: row.close_code,
                ),
                Column(_error, lambda row: row.error, tone=lambda row: "danger"),
            ),
            parent,
        )

    def per_instance(self) -> Counter[str]:
        """Connected users by instance."""
        return Counter(row.on for row in self._rows if row.state == "connected" and row.on not in ("", "-"))

    def per_state(self) -> Counter[str]:
        """Users by state."""
        return Counter(row.state for row in self._rows)

    def groups_of_errors(self) -> list[tuple[str, int]]:
        """Equal errors with how many users have them, the most frequent first."""
        return Counter(row.error for row in self._rows if row.error).most_common()

    def _since(self, row: UserRow) -> str:
        if row.state != "connected":
            return NONE
        return short_clock(self._run.now - row.connected_t)


def _user() -> str:
    return QCoreApplication.translate("UsersModel", "User")


def _state() -> str:
    return QCoreApplication.translate("UsersModel", "State")


def _on() -> str:
    return QCoreApplication.translate("UsersModel", "On")


def _transport() -> str:
    return QCoreApplication.translate("UsersModel", "Connected by")


def _since() -> str:
    return QCoreApplication.translate("UsersModel", "Connected for")


def _reconnects() -> str:
    return QCoreApplication.translate("UsersModel", "Reconnects")


def _received() -> str:
    return QCoreApplication.translate("UsersModel", "Received")


def _code() -> str:
    return QCoreApplication.translate("UsersModel", "Close code")


def _error() -> str:
    return QCoreApplication.translate("UsersModel", "Last error")
