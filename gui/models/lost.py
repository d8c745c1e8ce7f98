"""Lost pushes as a table: which, whose, along which way, and where each was last seen."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject

from core.engine.messages import LostPush

from .. import words
from ..format import NONE, integer
from .run import RunModel
from .tables import Column, RowsModel
from .users import natural

#: Rows kept; the headline counts all of them.
MAX_ROWS = 5000


class LostModel(RowsModel[LostPush]):
    """The newest lost pushes; one whose stage becomes known is replaced."""

    def __init__(self, run: RunModel, parent: QObject | None = None) -> None:
        self._run = run
        super().__init__(
            (
                Column(_push, lambda row: integer(row.seq), key=lambda row: row.seq),
                Column(_user, lambda row: row.user, key=lambda row: natural(row.user)),
                Column(_way, lambda row: f"{row.via} → {NONE if row.on in ('', '-') else row.on}"),
                Column(_stage, lambda row: words.stage(row.stage), right=True),
            ),
            parent,
        )

    def apply(self, pushes: tuple[LostPush, ...]) -> None:
        """Take over newly lost pushes."""
        room = MAX_ROWS - self.total
        known = [push for push in pushes if self.find(push.id) is not None]
        fresh = [push for push in pushes if self.find(push.id) is None][: max(0, room)]
        if known or fresh:
            self.put((push.id, push) for push in (*known, *fresh))


def _push() -> str:
    return QCoreApplication.translate("LostModel", "Sequence")


def _user() -> str:
    return QCoreApplication.translate("LostModel", "User")


def _way() -> str:
    return QCoreApplication.translate("LostModel", "via → on")


def _stage() -> str:
    return QCoreApplication.translate("LostModel", "Last seen")
