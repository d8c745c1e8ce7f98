"""A double of the engine for tests of the window: no processes, no sockets, invented figures.

It speaks ``core.engine.messages``: commands go in, events come out, time is an argument. Run as a
program it does so over stdin and stdout, so that the window's bridge can be tested without a
cluster. What the window shows to people always comes from the real engine.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":  # a program of its own: find the packages beside tests/
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from core.engine.messages import (
    AddUsers,
    ClusterAddresses,
    Command,
    Control,
    DisconnectUsers,
    EngineState,
    Event,
    Finished,
    PushOnce,
    PushResult,
    ReconnectUsers,
    SetRate,
    Shutdown,
    Snapshot,
    StartCluster,
    StartRun,
    StateChanged,
    StopCluster,
    StopRun,
)
from core.engine.wire import decode_command, encode_event
from core.environment import InstanceInfo, InstanceState, LogLine, Part, StartStep
from core.report.figures import Cell, LostPush, Marker, Percentiles, Point, SeriesSum, Totals, UserRow

BUCKET = 0.25


class EngineDouble:
    """Answers commands at once and moves on by :meth:`advance`."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self.t = 0.0
        self.run: EngineState = "idle"
        self.cluster: EngineState = "idle"
        self.rate = 0.0
        self.ended = False
        #: Why the instances cannot use their broker; while they cannot, pushes are refused.
        self.broker_trouble = ""
        self._refused = 0
        self._strategy = "relay"
        self._states: dict[str, InstanceState] = {}
        self._drained: set[str] = set()
        self._users: dict[str, str] = {}
        self._touched: set[str] = set()
        self._run_start = 0.0
        self._kill_t = -1e9
        self._lost: list[LostPush] = []
        self._cells: dict[tuple[str, str], list[int]] = {}
        self._seq = 0

    # ---- commands ------------------------------------------------------------------------

    def handle(self, command: Command) -> list[Event]:
        """Do what a command asks, and what comes of it."""
        match command:
            case StartCluster(spec):
                return self._start_cluster(spec.instances, spec.strategy)
            case StartRun(scenario, spec):
                events: list[Event] = []
                if self.cluster != "running":
                    count = spec.instances if spec is not None else 3
                    events += self._start_cluster(count, spec.strategy if spec is not None else "relay")
                self._add_users(scenario.users - len(self._users))
                self.rate, self._run_start, self.run = scenario.rate, self.t, "running"
                return [*events, self._state(), Marker(self.t, "run-start", scenario.name)]
            case StopRun():
                self.run, self.rate = "stopped", 0.0
                done = Finished({"result": "pass", "lost": len(self._lost)}, 11 if self._lost else 0)
                return [Marker(self.t, "run-stop", ""), done, self._state()]
            case StopCluster():
                return self._stop_cluster()
            case Shutdown():
                self.ended = True
                return self._stop_cluster()
            case _:
                return list(self._handle_more(command))

    def _handle_more(self, command: Command) -> Iterator[Event]:
        match command:
            case Control(action, instance):
                yield from self._control(action, instance)
            case AddUsers(count):
                self._add_users(count)
            case DisconnectUsers(users):
                for user in users:
                    self._place(user, "")
            case ReconnectUsers(users):
                for user in users:
                    self._place(user, self._random.choice(self._ready() or [""]))
            case SetRate(rate):
                self.rate = rate
                if self.run != "running":
                    self.run, self._run_start = "running", self.t
                    yield self._state()
            case PushOnce(ref, user, _):
                via = command.via or (self._ready() or [""])[0]
                sessions = 1 if user is not None else len(self._users)
                yield PushResult(ref, 202, via, sessions, '{"id":"x"}', 0.8)
                yield PushResult(ref, 202, via, sessions, '{"id":"x"}', 0.8, 1.9)
            case _:
                pass

    def _start_cluster(self, count: int, strategy: str) -> list[Event]:
        self.cluster, self._strategy = "starting", strategy
        events: list[Event] = [self._state()]
        for key, total in (
            ("ports", 1),
            ("broker", 1),
            ("discovery", 1),
            ("instances", count),
            ("gateway", 1),
        ):
            events.append(StartStep(key, "running", 0.1, 0, total))
            events.append(StartStep(key, "done", 0.4, total, total))
        self._states = {f"i{k + 1}": "ready" for k in range(count)}
        self._users, self._lost, self._cells = {}, [], {}
        self.cluster = "running"
        events.append(
            ClusterAddresses("http://127.0.0.1:7000", "ws://127.0.0.1:7000/ws", strategy, "embedded:")
        )
        events.append(self._state())
        events += [LogLine(name, f"{name} is ready") for name in (*self._states, "gateway", "broker")]
        return events

    def _stop_cluster(self) -> list[Event]:
        self.cluster, self.run, self.rate = "stopped", "stopped", 0.0
        self._states, self._users = {}, {}
        return [self._state()]

    def _control(self, action: str, instance: str | None) -> Iterator[Event]:
        name = instance or f"i{len(self._states) + 1}"
        after: dict[str, InstanceState] = {
            "kill": "dead",
            "stop": "stopped",
            "pause": "paused",
            "resume": "ready",
            "add": "ready",
            "drain": "ready",
            "undrain": "ready",
        }
        if action in ("drain", "undrain"):
            (self._drained.add if action == "drain" else self._drained.discard)(name)
        if action == "remove":
            self._states.pop(name, None)
        else:
            self._states[name] = after[action]
        yield Marker(self.t, action, name)
        yield LogLine(name, f"{action} {name}")
        if action in ("kill", "stop", "remove"):
            self._kill_t = self.t
            for user, on in list(self._users.items()):
                if on == name:
                    self._lose(user, name)
                    self._place(user, self._random.choice(self._ready() or [""]))

    # ---- time ----------------------------------------------------------------------------

    def advance(self, seconds: float) -> list[Event]:
        """Let time pass and report what happened."""
        before = int(self.t / BUCKET)
        self.t += seconds
        points: list[Point] = []
        if self.run == "running" and self.rate > 0:
            for bucket in range(before, int(self.t / BUCKET)):
                points += self._bucket(bucket * BUCKET)
        return [self._snapshot(tuple(points))]

    def _bucket(self, t: float) -> list[Point]:
        ready = self._ready()
        points: list[Point] = []
        if self.broker_trouble:
            self._refused += max(1, round(self.rate * BUCKET))
            return points
        for via in ready:
            for on in ready:
                count = max(1, round(self.rate * BUCKET / len(ready) ** 2))
                cell = self._cells.setdefault((via, on), [0, 0])
                cell[0] += count
        for side in ("via", "on"):
            for number, name in enumerate(ready):
                bump = 9.0 * max(0.0, 1 - abs(t - self._kill_t - 1.5) / 2)
                base = 0.8 + 0.15 * number + bump / 4
                high = base * self._random.uniform(2.5, 4.5) + bump
                lost = 2 if 0 <= t - self._kill_t < 0.5 and self._lost else 0
                count = max(1, round(self.rate * BUCKET / len(ready)))
                points.append(Point(f"{side}:{name}", t, count, base, high * 0.8, high, high * 1.3, lost))
        return points

    def _snapshot(self, points: tuple[Point, ...]) -> Snapshot:
        delivered = sum(cell[0] for cell in self._cells.values())
        lost = len(self._lost)
        changed = sorted(self._touched)
        self._touched.clear()
        latency = Percentiles(0.9, 1.8, 2.4, 4.2, 7.7, 13.5) if delivered else Percentiles()
        return Snapshot(
            t=self.t,
            run_t=self.t - self._run_start,
            run=self.run,
            users_connected=sum(bool(on) for on in self._users.values()),
            users_total=len(self._users),
            push_rate=self.rate,
            totals=Totals(
                attempted=delivered + lost + self._refused,
                refused=self._refused,
                pushed=delivered + lost,
                expected=delivered + lost,
                delivered=delivered,
                lost=lost,
            ),
            latency=latency,
            sender_lag_ms=0.3,
            engine_cpu_percent=12.0,
            engine_lag_ms=0.3,
            instances=self._instances(),
            parts=self._parts(),
            points=points,
            series=tuple(
                SeriesSum(f"{side}:{name}", delivered // 3, 0, latency)
                for side in ("via", "on")
                for name in self._states
            ),
            matrix=tuple(
                Cell(via, on, sum(cell), cell[0], cell[1], 0.8, 4.2)
                for (via, on), cell in self._cells.items()
            ),
            users=tuple(self._user_row(user) for user in changed),
            lost=tuple(self._lost),
        )

    def _instances(self) -> tuple[InstanceInfo, ...]:
        return tuple(
            InstanceInfo(
                name,
                state,
                f"http://127.0.0.1:{8080 + number}",
                pid=4000 + number if state not in ("dead", "stopped") else None,
                sessions=sum(on == name for on in self._users.values()),
                cpu_percent=7.5 if state == "ready" else 0.0,
                rss_bytes=48 << 20,
                draining=name in self._drained and state == "ready",
                broker_trouble=self.broker_trouble if state == "ready" else "",
            )
            for number, (name, state) in enumerate(self._states.items())
        )

    def _parts(self) -> tuple[Part, ...]:
        if self.cluster != "running":
            return ()
        ports = (("gateway", 7000), ("discovery", 8761), ("broker", 61613))
        return tuple(Part(name, "ready", f"http://127.0.0.1:{port}", port) for name, port in ports)

    def _user_row(self, user: str) -> UserRow:
        on = self._users.get(user, "")
        state = "connected" if on else "disconnected"
        return UserRow(user, state, on, self.t, 0, round(self.t * 2))

    # ---- inside --------------------------------------------------------------------------

    def _add_users(self, count: int) -> None:
        ready = self._ready()
        for _ in range(max(0, count)):
            number = len(self._users)
            self._place(f"user-{number + 1}", ready[number % len(ready)] if ready else "")

    def _place(self, user: str, on: str) -> None:
        self._users[user] = on
        self._touched.add(user)

    def _lose(self, user: str, on: str) -> None:
        self._seq += 1
        cell = self._cells.setdefault(("i1", on), [0, 0])
        cell[1] += 1
        self._lost.append(
            LostPush(f"r.i1.{user}.{self._seq}", user, "i1", on, self._seq, self.t, "from-broker")
        )

    def _ready(self) -> list[str]:
        return [name for name, state in self._states.items() if state == "ready"]

    def _state(self) -> StateChanged:
        return StateChanged(self.t, self.run, self.cluster)


def main() -> None:
    """Speak over stdin and stdout until the command stream ends or asks to shut down."""
    engine = EngineDouble()
    waiting: deque[bytes] = deque()
    closed = threading.Event()

    def read() -> None:
        # Unbuffered: a buffered reader's lock, held by this thread, would abort the exit.
        with open(0, "rb", buffering=0, closefd=False) as pipe:
            waiting.extend(iter(pipe.readline, b""))
        closed.set()

    threading.Thread(target=read, daemon=True).start()
    last = time.monotonic()
    while not engine.ended and not closed.wait(0.1):
        events: list[Event] = []
        while waiting:
            line = waiting.popleft()
            if b"crash" in line:
                sys.exit("the double was told to crash")
            events += engine.handle(decode_command(line))
        now = time.monotonic()
        events += engine.advance(now - last)
        last = now
        for event in events:
            sys.stdout.buffer.write(encode_event(event))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
