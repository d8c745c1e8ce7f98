"""An instance in a process of its own that watches its slow clients: ``slow_instance POLICY``.

Prints its URL, then answers each line on standard input: ``reset`` forgets, ``report`` prints what was
seen since as a line of JSON (times are of ``time.perf_counter``, which all processes here share).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import psutil

from server.instance import Instance
from server.settings.instance import InstanceSettings, SlowPolicy

from .loops import best_loop

_EVERY_S = 0.005


class Watch:
    """What happened to slow clients since the last reset."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._process = psutil.Process()
        self.reset()

    def reset(self) -> None:
        """Forget."""
        self._cut_before = self._instance.counters.slow_consumers
        self._rss_before = self._rss = self._process.memory_info().rss
        self._full = self._cut = 0.0
        self._held = 0

    def look(self) -> None:
        """Look once; often enough."""
        now = time.perf_counter()
        slow = self._instance.parts.connections.outbox.slow
        self._full = self._full or (now if slow else 0.0)
        self._held = max(self._held, sum(session.held_bytes for session in slow))
        if not self._cut and self._instance.counters.slow_consumers > self._cut_before:
            self._cut = now
        self._rss = max(self._rss, self._process.memory_info().rss)

    def report(self) -> str:
        """Everything as JSON."""
        counters = self._instance.counters
        dropped = counters.dropped_oldest + counters.dropped_newest + counters.conflated
        return json.dumps(
            {
                "full": self._full,
                "cut": self._cut,
                "held": self._held,
                "rss_growth": self._rss - self._rss_before,
                "dropped": dropped,
                "sessions": self._instance.sessions,
            }
        )


async def main(policy: SlowPolicy) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    async with Instance(InstanceSettings(slow_consumer=policy, default_user="bench")) as instance:
        watch = Watch(instance)

        def look() -> None:
            watch.look()
            loop.call_later(_EVERY_S, look)

        look()
        sys.stdout.write(f"{instance.url}\n")
        sys.stdout.flush()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "reset":
                watch.reset()
            sys.stdout.write(f"{watch.report()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    chosen: SlowPolicy = sys.argv[1]  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        runner.run(main(chosen))
