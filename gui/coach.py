"""The guide of the first minutes: suggests a kill, then tells what it did, in measured figures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from core.report.figures import Marker, UserRow

from .context import Context
from .format import decimal, integer

#: Seconds of a run before the suggestion comes.
SUGGEST_AFTER = 15.0

#: Seconds after which a recovery that does not come is told as such.
_GIVE_UP = 20.0

#: Seconds after a kill when what has not arrived counts as lost (a scenario's ``late_after``, and a bit).
_SETTLED = 6.0


class Coach(QObject):
    """Watches the run; ``said`` carries a text, whether it offers the kill, and its target."""

    said = Signal(str, str)
    quiet = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._context = context
        self._session = context.session
        self.target = ""
        self._suggested = False
        self._killed: Marker | None = None
        self._told = False
        self._moved: set[str] = set()
        self._lost_before = 0
        self._last: Callable[[], tuple[str, str]] | None = None
        self._session.demo_started.connect(self.reset)
        context.beat.connect(self._on_beat)
        self._session.marked.connect(self._on_marker)

    def do_it(self) -> None:
        """Kill the suggested instance."""
        if self.target:
            self._session.control("kill", self.target)

    def dismiss(self) -> None:
        """Never suggest again."""
        self._context.settings.tip_dismissed = True
        self._silence()

    def reset(self) -> None:
        """A new run: what was said is over."""
        self._suggested, self._killed = False, None
        self._silence()

    def finish(self) -> None:
        """The run is over: its result speaks."""
        self._killed = None
        self._silence()

    def repeat(self) -> None:
        """Say the last again, in the language of now."""
        if self._last is not None:
            self.said.emit(*self._last())

    @property
    def speaking(self) -> bool:
        """Whether there is something to show."""
        return self._last is not None

    def _say(self, words: Callable[[], tuple[str, str]]) -> None:
        self._last = words
        self.repeat()

    def hush(self) -> None:
        """What was said was read."""
        self._last = None

    def _silence(self) -> None:
        self.target = ""
        self._last = None
        self.quiet.emit()

    def _on_beat(self) -> None:
        run = self._session.run
        if self._killed is not None:
            self._watch_recovery(self._killed)
        elif self.target and run.run != "running":
            self._silence()
        elif not self._suggested and run.run == "running" and self._long_enough():
            self._suggest()

    def _long_enough(self) -> bool:
        latest = self._session.run.latest
        wanted = not self._context.settings.tip_dismissed
        return wanted and latest is not None and latest.run_t >= SUGGEST_AFTER

    def _suggest(self) -> None:
        ready = [item.id for item in self._session.cluster.instances if item.state == "ready"]
        if len(ready) < 2:
            return
        self._suggested = True
        self.target = "i2" if "i2" in ready else ready[-1]
        target = self.target
        self._say(lambda: (self.tr("Try it: kill {id} and watch the matrix (K)").format(id=target), target))

    def _on_marker(self, marker: Marker) -> None:
        if marker.kind not in ("kill", "dead"):
            return
        rows = self._session.users.rows()
        self._moved = {row.user for row in rows if row.on == marker.target}
        self._lost_before = self._session.run.totals.lost
        self._killed = marker
        self._told = False
        self._suggested = True
        self._silence()

    def _watch_recovery(self, kill: Marker) -> None:
        """Tell when all users are back, and again when it is known what was lost."""
        rows = {row.user: row for row in self._session.users.rows()}
        moved = [rows[user] for user in self._moved if user in rows]
        home = [row for row in moved if row.state == "connected" and row.on != kill.target]
        since = self._session.run.now - kill.t
        back = len(home) == len(moved)
        if since >= _SETTLED if back else since >= _GIVE_UP:
            self._killed = None
            lost = max(self._session.run.totals.lost - self._lost_before, 0)
            self._say(lambda: (f"{self._recovery(kill, moved, home)} {self._losses(lost)}", ""))
        elif back and not self._told:
            self._told = True
            self._say(lambda: (self._recovery(kill, moved, home), ""))

    def _losses(self, lost: int) -> str:
        return self.tr("Messages lost: {n}.").format(n=integer(lost))

    def _recovery(self, kill: Marker, moved: list[UserRow], home: list[UserRow]) -> str:
        if not moved:
            return self.tr("{id} is gone; no user was on it.").format(id=kill.target)
        if len(home) < len(moved):
            return self.tr("{id} is gone; {n} of its {all} users have not come back yet.").format(
                id=kill.target, n=integer(len(moved) - len(home)), all=integer(len(moved))
            )
        took = max(row.connected_t for row in home) - kill.t
        return self.tr("{id} is gone; its {all} users were back on {others} within {s} s.").format(
            id=kill.target,
            all=integer(len(moved)),
            others=", ".join(sorted({row.on for row in home})),
            s=decimal(max(took, 0.0)),
        )
