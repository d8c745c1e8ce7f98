"""The session: an engine, the models that it fills, and the commands that people give.

Views read models and call methods here; nothing else sends commands. What is shown is always what
the engine reported, never what was asked for.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from itertools import count
from typing import Literal

from PySide6.QtCore import QObject, Signal

from core.engine.messages import (
    AddUsers,
    ClusterAddresses,
    Command,
    DisconnectUsers,
    Event,
    Finished,
    Problem,
    PushOnce,
    PushResult,
    ReconnectUsers,
    SetRate,
    Snapshot,
    StartCluster,
    StartRun,
    StateChanged,
    StopCluster,
    StopRun,
)
from core.engine.messages import Control as ControlInstance
from core.environment import Action, ClusterSpec, LogLine, StartStep
from core.load.scenario import Scenario
from core.load.transports import PLAIN
from core.report.figures import Marker

from .bridge import EngineLink
from .models.cluster import ClusterModel
from .models.lost import LostModel
from .models.matrix import MatrixModel
from .models.pushes import PushesModel
from .models.run import RunModel
from .models.series import SeriesModel
from .models.users import UsersModel
from .settings import Settings

log = logging.getLogger("pushscope.gui")

Strategy = Literal["relay", "broadcast", "none"]
#: Some users on each transport, most of them as most users are.
_MIXED = {"websocket": 40, "xhr-streaming": 20, "eventsource": 20, "xhr-polling": 20}

STRATEGIES: tuple[Strategy, ...] = ("relay", "broadcast", "none")


class Session(QObject):
    """Everything that the window knows, and everything that it can ask for."""

    problem = Signal(object)
    answered = Signal(object)
    marked = Signal(object)
    demo_started = Signal()
    strategy_differs = Signal()
    first_point = Signal(float)

    def __init__(self, make_link: Callable[[], EngineLink], settings: Settings) -> None:
        super().__init__()
        self._make_link = make_link
        self._link: EngineLink | None = None
        self.settings = settings
        self.strategy: Strategy = "relay"
        self.run = RunModel(self)
        self.cluster = ClusterModel(self)
        self.series = SeriesModel(self)
        self.users = UsersModel(self.run, self)
        self.lost = LostModel(self)
        self.pushes = PushesModel(self)
        self.matrix = MatrixModel(self)
        self.small_matrix = MatrixModel(self)
        self._refs = count(1)
        self._closing = False
        self._start_after_stop = False
        self._waiting_since: float | None = None

    # ---- the engine ----------------------------------------------------------------------

    def open_engine(self) -> bool:
        """Start an engine if none runs; False (and a problem) if it cannot be started."""
        if self._link is not None:
            return True
        link = self._make_link()
        # It must end in this thread, and its last reference may be held by one of its own threads, or
        # by the one that closes it.
        link.setParent(self)
        link.received.connect(self.apply)
        link.ended.connect(self._on_ended)
        try:
            link.start()
        except OSError as error:
            self.problem.emit(
                Problem("engine-start", str(error), tried="start the engine as a child process")
            )
            return False
        self._link = link
        self.run.engine_alive = True
        return True

    def close_engine(self, timeout: float) -> bool:
        """Stop the engine and all that it started; blocking, for a thread of its own."""
        self._closing = True
        link, self._link = self._link, None
        return link.shutdown(timeout) if link is not None else True

    def send(self, command: Command) -> None:
        """Send a command to the engine, starting one if need be."""
        if self.open_engine() and self._link is not None:
            self._link.send(command)

    # ---- commands ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the run of the present settings, with a cluster if none is there."""
        self._waiting_since = time.monotonic()
        spec = None if self.run.cluster == "running" else self._spec()
        scenario = self.scenario()
        self.users.transports = scenario.transports
        self.send(StartRun(scenario, spec))
        self.demo_started.emit()

    def start_cluster(self) -> None:
        """Start a cluster without users or pushes."""
        self.users.transports = PLAIN
        self.send(StartCluster(self._spec()))

    def stop(self) -> None:
        """Stop the run softly; pressed again while it drains, at once."""
        self.send(StopRun(force=self.run.run == "draining"))

    def stop_cluster(self) -> None:
        """Stop users, pushes and all processes; also cancels a start."""
        self.send(StopCluster())

    def next_action(self) -> None:
        """Do what the main button says."""
        match self.run.next_action:
            case "start":
                self.start()
            case "cancel":
                self.stop_cluster()
            case "stop" | "force":
                self.stop()
            case "wait":
                pass

    def restart(self) -> None:
        """Stop the cluster and start anew with the present settings."""
        if not self.run.cluster_alive:
            self.start()
            return
        self._start_after_stop = True
        self.send(StopRun(force=True))
        self.send(StopCluster())

    def control(self, action: Action, instance: str | None = None) -> None:
        """Kill, stop, pause, resume, drain, undrain, add or remove an instance."""
        self.send(ControlInstance(action, instance))

    def choose_strategy(self, strategy: Strategy) -> None:
        """Strategy of the next cluster; tells when the running one has another."""
        self.strategy = strategy
        addresses = self.run.addresses
        if self.run.cluster == "running" and addresses is not None and addresses.strategy != strategy:
            self.strategy_differs.emit()

    def add_users(self, number: int) -> None:
        """Connect so many more users."""
        self.send(AddUsers(number))

    def disconnect_users(self, names: tuple[str, ...]) -> None:
        """Disconnect these users; pushes to them count as offline."""
        if names:
            self.send(DisconnectUsers(names))

    def reconnect_users(self, names: tuple[str, ...]) -> None:
        """Connect these users again, or move them if they are connected."""
        if names:
            self.send(ReconnectUsers(names))

    def push_once(self, user: str | None, via: str | None, destination: str, payload: str) -> PushOnce:
        """Send one push; its answer appears in :attr:`pushes`."""
        command = PushOnce(next(self._refs), user, payload, destination=destination, via=via)
        self.pushes.sent(command)
        self.send(command)
        return command

    def set_rate(self, rate: float, via: str | None = None) -> None:
        """Change the rate of the automatic pushes."""
        self.send(SetRate(rate, via))

    def scenario(self) -> Scenario:
        """The scenario of the next run."""
        chosen = self.settings.transports
        return Scenario(
            name="demo",
            users=self.settings.users,
            rate=float(self.settings.rate),
            duration=0.0,
            transports=_MIXED if chosen == "mixed" else {chosen: 100},
        )

    def _spec(self) -> ClusterSpec:
        # From the environment, because its password must be in no file and on no screen.
        broker = os.environ.get("PUSHSCOPE_BROKER_URL") or "embedded:"
        return ClusterSpec(instances=self.settings.instances, strategy=self.strategy, broker=broker)

    # ---- events --------------------------------------------------------------------------

    def apply(self, events: list[Event]) -> None:
        """Take over what the bridge delivered, in order."""
        lines = [event for event in events if isinstance(event, LogLine)]
        if lines:
            self.cluster.apply_lines(lines)
        for event in events:
            if not isinstance(event, LogLine):
                self._apply_one(event)

    def _apply_one(self, event: Event) -> None:
        match event:
            case Snapshot():
                self._apply_snapshot(event)
            case StateChanged():
                self._apply_state(event)
            case StartStep():
                self.run.apply_step(event)
            case ClusterAddresses():
                self.run.apply_addresses(event)
            case Marker():
                self.series.mark(event)
                self.marked.emit(event)
            case PushResult():
                self.pushes.answered(event)
                self.answered.emit(event)
            case Finished():
                self.run.apply_finished(event)
            case Problem():
                self.problem.emit(event)
            case LogLine():
                self.cluster.apply_lines([event])

    def _apply_snapshot(self, snapshot: Snapshot) -> None:
        self.cluster.apply(snapshot.instances, snapshot.parts)
        if snapshot.users:
            self.users.put((row.user, row) for row in snapshot.users)
        self.series.apply(snapshot.points, snapshot.series)
        ids = tuple(instance.id for instance in snapshot.instances)
        self.matrix.apply(snapshot.matrix, ids)
        self.small_matrix.apply(snapshot.matrix, ids)
        self.lost.apply(snapshot.lost)
        self.run.apply_snapshot(snapshot)
        if snapshot.points and self._waiting_since is not None:
            waited = time.monotonic() - self._waiting_since
            self._waiting_since = None
            log.info("first point %.2f s after the click", waited)
            self.first_point.emit(waited)

    def _apply_state(self, event: StateChanged) -> None:
        new_cluster = event.cluster == "starting" and self.run.cluster != "starting"
        new_run = event.run in ("starting", "running") and self.run.run not in ("starting", "running")
        if new_cluster:
            self.cluster.reset()
            self.series.reset()  # perhaps with other instances than before
            self.users.clear_rows()
        if new_cluster or new_run:
            self.matrix.clear()
            self.small_matrix.clear()
            self.lost.clear_rows()
        if event.cluster in ("idle", "stopped", "failed"):
            self.cluster.apply((), ())
            self.users.clear_rows()
        self.run.apply_state(event)
        if self._start_after_stop and event.cluster in ("idle", "stopped", "failed"):
            self._start_after_stop = False
            self.start()

    def _on_ended(self, code: int, tail: str) -> None:
        self._link = None
        self.run.engine_alive = False
        if self._closing:
            return
        self.run.reset()
        self.cluster.apply((), ())
        self.series.reset()
        self.problem.emit(
            Problem("engine-died", f"exit code {code}\n{tail}".strip(), tried="run the engine", hint="")
        )
