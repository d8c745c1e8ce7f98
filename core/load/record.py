"""What became of every push, written down as it happens; the report sorts and completes it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ..metrics import Fate, Push, Stray
from ..reasons import reason_of
from .correlation import PushId

_WORDS: Final = {
    Fate.SENT: "refused",
    Fate.REFUSED: "refused",
    Fate.UNANSWERED: "unanswered",
    Fate.OFFLINE: "offline",
    Fate.PENDING: "lost",
    Fate.LOST: "lost",
}


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """One push, or one stray delivery; stamps are those of the one clock, 0 where there is none.

    ``verdict``: ok, late, reordered, lost, offline, refused, unanswered (it may have been taken,
    nobody knows), duplicate, misrouted or unexpected.
    """

    id: str
    user: str
    via: str
    on: str
    seq: int
    intended_ns: int
    sent_ns: int
    answered_ns: int
    received_ns: int
    verdict: str


class Recorder:
    """Writes deliveries as JSON lines to a file, through the file's own buffer.

    A full disk does not end the run: the numbers do not need the file. It is kept as ``failure``.

    Attributes:
        failure: The file and why it could not be written; "" if it could.
    """

    def __init__(self, path: Path, run: str, late_after_ns: int) -> None:
        self.failure = ""
        self._path = path
        self._file: BinaryIO | None = None
        try:
            self._file = path.open("wb", buffering=1 << 16)
        except OSError as error:
            self._failed(error)
        self._run = run
        self._late_after_ns = late_after_ns
        self._encode = msgspec.json.Encoder().encode

    def push(self, push: Push) -> None:
        """A push of which nothing more can become."""
        self._write(
            Delivery(
                str(PushId(self._run, push.via, push.user, push.seq)),
                push.user,
                push.via,
                push.on,
                push.seq,
                push.intended_ns,
                push.sent_ns,
                push.answered_ns,
                push.received_ns,
                self._verdict(push),
            )
        )

    def stray(self, kind: Stray, user: str, via: str, seq: int, received_ns: int) -> None:
        """A delivery that belongs to no open push."""
        push_id = str(PushId(self._run, via, user, seq)) if kind == "duplicate" else ""
        self._write(Delivery(push_id, user, via, "", seq, 0, 0, 0, received_ns, kind))

    def close(self) -> None:
        """Write what is buffered; may be called twice."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.failure = f"its record {self._path}: {reason_of(error)}"
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what is in its buffer has no room either
                file.close()

    def _verdict(self, push: Push) -> str:
        if push.fate is not Fate.DELIVERED:
            return _WORDS[push.fate]
        if push.reordered:
            return "reordered"
        return "late" if push.received_ns - push.intended_ns > self._late_after_ns else "ok"

    def _write(self, delivery: Delivery) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._encode(delivery) + b"\n")
        except OSError as error:
            self._failed(error)


def read_deliveries(path: Path) -> list[Delivery]:
    """Everything that a recorder wrote."""
    decode = msgspec.json.Decoder(Delivery).decode
    with path.open("rb") as file:
        return [decode(line) for line in file]
