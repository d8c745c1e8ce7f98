"""Lost pushes as a table: which, whose, along which way, and where each was last seen."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject

from core.report.figures import LostPush

from .. import words
from ..format import NONE, integer
from .tables import Column, RowsModel
from .users import natural


class LostModel(RowsModel[LostPush]):
    """Lost pushes as the engine lists them (not all of many); the headline counts all."""

    def __init__(self, parent: QObject | None = None) -> None:
        self._shown: tuple[LostPush, ...] = ()
        super().__init__(
            (
                Column(_push, lambda row: integer(row.seq), key=lambda row: row.seq),
                Column(_user, lambda row: row.user, key=lambda row: natural(row.user)),
                Column(_way, lambda row: f"{row.via} → {NONE if row.on in ('', '-') else row.on}"),
                Column(_stage, lambda row: words.stage(row.stage), right=True),
            ),
            parent,
        )

    def clear_rows(self) -> None:
        """Drop everything."""
        self._shown = ()
        super().clear_rows()

    def apply(self, pushes: tuple[LostPush, ...]) -> None:
        """Take over what is missing now; one that arrived after all is no longer in it."""
        if pushes == self._shown:
            return
        ids = {push.id for push in pushes}
        if any(push.id not in ids for push in self._shown):
            self.clear_rows()
        self._shown = pushes
        self.put((push.id, push) for push in pushes)


def _push() -> str:
    return QCoreApplication.translate("LostModel", "Sequence")


def _user() -> str:
    return QCoreApplication.translate("LostModel", "User")


def _way() -> str:
    return QCoreApplication.translate("LostModel", "via → on")


def _stage() -> str:
    return QCoreApplication.translate("LostModel", "Last seen")
