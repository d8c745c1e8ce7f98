"""The run and its headline numbers: state, totals, latency, addresses, start-up steps."""

from __future__ import annotations

import time
from typing import Literal

from PySide6.QtCore import QObject, Signal

from core.engine.messages import ClusterAddresses, EngineState, Finished, Snapshot, StateChanged
from core.environment import StartStep
from core.report.figures import Percentiles, Totals

#: What the main button does next.
NextAction = Literal["start", "cancel", "stop", "force", "wait"]

#: The order of the start-up checklist.
STEP_ORDER = ("ports", "broker", "discovery", "instances", "gateway", "users")

_ALIVE: frozenset[EngineState] = frozenset({"starting", "running", "draining", "stopping"})


class RunModel(QObject):
    """State and sums of the run; ``ticked`` after every snapshot, ``changed`` on a new state.

    ``run_start`` is the engine's time at which the present or last run began to push,
    ``run_seconds`` how long it has been pushing.
    """

    changed = Signal()
    ticked = Signal()
    steps_changed = Signal()
    finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine_alive = False
        self.steps: dict[str, StartStep] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after the engine ended."""
        self.run: EngineState = "idle"
        self.cluster: EngineState = "idle"
        self.addresses: ClusterAddresses | None = None
        self.summary: Finished | None = None
        self.latest: Snapshot | None = None
        self._latest_at = 0.0
        self.run_start = 0.0
        self.run_seconds = 0.0
        self.steps = {}
        self.changed.emit()
        self.steps_changed.emit()

    # ---- what arrives --------------------------------------------------------------------

    def apply_state(self, event: StateChanged) -> None:
        """The engine's states changed."""
        if event.run == "starting" and self.run != "starting":
            self.run_seconds = 0.0
        if event.cluster == "starting" and self.cluster != "starting":
            self.steps = {}
            self.steps_changed.emit()
        if event.cluster in ("stopped", "idle"):
            self.addresses = None
        self.run, self.cluster = event.run, event.cluster
        self.changed.emit()

    def apply_step(self, step: StartStep) -> None:
        """One step of the start-up moved on."""
        self.steps[step.key] = step
        self.steps_changed.emit()

    def apply_addresses(self, event: ClusterAddresses) -> None:
        """The cluster became ready."""
        self.addresses = event
        self.changed.emit()

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """New numbers."""
        self.latest = snapshot
        self._latest_at = time.monotonic()
        if snapshot.run_t > 0:  # it is 0 again once the run is over
            self.run_start, self.run_seconds = snapshot.t - snapshot.run_t, snapshot.run_t
        if snapshot.run != self.run:
            self.run = snapshot.run
            self.changed.emit()
        self.ticked.emit()

    def apply_finished(self, event: Finished) -> None:
        """The run was judged."""
        self.summary = event
        self.finished.emit(event)

    # ---- what views ask ------------------------------------------------------------------

    @property
    def totals(self) -> Totals:
        """The ledger's sums so far."""
        return self.latest.totals if self.latest is not None else Totals()

    @property
    def latency(self) -> Percentiles:
        """Latency of the whole run."""
        return self.latest.latency if self.latest is not None else Percentiles()

    @property
    def age(self) -> float | None:
        """Seconds since the last snapshot; None before the first."""
        return None if self.latest is None else time.monotonic() - self._latest_at

    @property
    def now(self) -> float:
        """The engine's clock now: the last snapshot's, carried on for at most a second, so that
        charts move evenly and stop when the engine does."""
        if self.latest is None:
            return 0.0
        return self.latest.t + (min(time.monotonic() - self._latest_at, 1.0) if self.is_live else 0.0)

    @property
    def is_live(self) -> bool:
        """Whether messages may be under way."""
        return self.run in ("running", "draining")

    @property
    def cluster_alive(self) -> bool:
        """Whether there is a cluster, be it on its way up or down."""
        return self.cluster in _ALIVE

    @property
    def starting(self) -> bool:
        """Whether the start-up checklist is what matters now."""
        return self.cluster == "starting" or (self.cluster == "running" and self.run == "starting")

    @property
    def next_action(self) -> NextAction:
        """What the main button does if pressed now."""
        if self.cluster == "stopping" or self.run == "stopping":
            return "wait"
        if self.cluster == "starting":
            return "cancel"
        if self.run == "draining":
            return "force"
        if self.run in ("starting", "running"):
            return "stop"
        return "start"
