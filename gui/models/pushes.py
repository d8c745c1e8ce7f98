"""Pushes sent by hand, with what came of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication, QObject

from core.engine.messages import PushOnce, PushResult

from ..format import NONE, millis
from .tables import Column, RowsModel


@dataclass(frozen=True, slots=True)
class SentPush:
    """One push and its answer, None while it is under way."""

    command: PushOnce
    at: str
    result: PushResult | None = None

    @property
    def verdict(self) -> str:
        """``waiting``, ``delivered``, ``accepted`` (no delivery seen), ``nobody`` (no session
        known there), ``refused`` or ``silent``."""
        if self.result is None:
            return "waiting"
        if self.result.status == 0:
            return "silent"
        if not 200 <= self.result.status < 300:
            return "refused"
        if self.result.delivered_ms is not None:
            return "delivered"
        return "nobody" if self.result.sessions == 0 else "accepted"


_TONES = {
    "waiting": "muted",
    "delivered": "ok",
    "accepted": "",
    "nobody": "warn",
    "refused": "danger",
    "silent": "danger",
}


class PushesModel(RowsModel[SentPush]):
    """The history of the Push view; an answer finds its push by ``ref``."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(
            (
                Column(_time, lambda row: row.at),
                Column(_result, _verdict, tone=lambda row: _TONES[row.verdict]),
                Column(_to, lambda row: row.command.user or _everybody()),
                Column(_via, _instance, swatch=_instance),
                Column(_status, lambda row: _of(row, "status"), True),
                Column(_sessions, lambda row: _of(row, "sessions"), True),
                Column(_accepted, lambda row: _milliseconds(row, "accepted_ms"), True),
                Column(_delivered, lambda row: _milliseconds(row, "delivered_ms"), True),
                Column(_payload, lambda row: row.command.payload[:200].replace("\n", " ")),
            ),
            parent,
        )

    def sent(self, command: PushOnce) -> None:
        """A push left."""
        row = SentPush(command, time.strftime("%H:%M:%S"))
        self.put([(str(command.ref), row)])

    def answered(self, result: PushResult) -> None:
        """Its answer came, or a later word about its delivery."""
        row = self.find(str(result.ref))
        if row is not None:
            self.put([(str(result.ref), replace(row, result=result))])


def _of(row: SentPush, name: str) -> str:
    if row.result is None:
        return NONE
    value = int(getattr(row.result, name))
    return NONE if value < 0 or (name == "status" and value == 0) else str(value)


def _milliseconds(row: SentPush, name: str) -> str:
    return NONE if row.result is None else millis(getattr(row.result, name))


def _instance(row: SentPush) -> str:
    return row.result.instance if row.result is not None else (row.command.via or "")


def _verdict(row: SentPush) -> str:
    text = {
        "waiting": QCoreApplication.translate("PushesModel", "… waiting"),
        "delivered": QCoreApplication.translate("PushesModel", "✓ delivered"),
        "accepted": QCoreApplication.translate("PushesModel", "○ accepted"),
        "nobody": QCoreApplication.translate("PushesModel", "○ no session"),
        "refused": QCoreApplication.translate("PushesModel", "✕ refused"),
        "silent": QCoreApplication.translate("PushesModel", "✕ no answer"),
    }
    return text[row.verdict]


def _everybody() -> str:
    return QCoreApplication.translate("PushesModel", "everybody")


def _time() -> str:
    return QCoreApplication.translate("PushesModel", "Time")


def _result() -> str:
    return QCoreApplication.translate("PushesModel", "Result")


def _to() -> str:
    return QCoreApplication.translate("PushesModel", "To")


def _via() -> str:
    return QCoreApplication.translate("PushesModel", "Via")


def _status() -> str:
    return "HTTP"


def _sessions() -> str:
    return QCoreApplication.translate("PushesModel", "Sessions")


def _accepted() -> str:
    return QCoreApplication.translate("PushesModel", "Accepted, ms")


def _delivered() -> str:
    return QCoreApplication.translate("PushesModel", "Delivered, ms")


def _payload() -> str:
    return QCoreApplication.translate("PushesModel", "Payload")
