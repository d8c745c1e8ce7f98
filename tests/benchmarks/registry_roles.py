"""An instance or a broker in a process of its own, with a probe of its event loop.

``registry_roles broker`` or ``registry_roles instance SETTINGS`` (JSON) prints its URL as a line of
JSON when it is ready. Then it reads commands from standard input: ``reset`` begins a measurement,
``report`` prints what was seen since.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any

import msgspec

from core.files_limit import raise_files_limit
from server.brokers.embedded import EmbeddedBroker
from server.instance import Instance
from server.roles.process import settle_garbage
from server.settings.instance import InstanceSettings

from .loops import best_loop

#: How often the probe looks.
LOOK_S = 0.001


class Probe:
    """The longest time in which the loop did not come round, and the longest that it worked in it.

    On a busy machine a process also waits for a core; ``busy_s`` is the time that the loop's own
    thread worked without a break, whoever else wanted the core.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._collecting = 0.0
        gc.callbacks.append(self._collected)
        self.reset()
        self._look()

    def reset(self) -> None:
        """Begin anew."""
        self.pause_s = self.busy_s = self.gc_s = 0.0
        self.spent_before_s = time.process_time()
        self._seen, self._worked = time.perf_counter(), time.thread_time()

    def _look(self) -> None:
        seen, worked = time.perf_counter(), time.thread_time()
        self.pause_s = max(self.pause_s, seen - self._seen - LOOK_S)
        self.busy_s = max(self.busy_s, worked - self._worked)
        self._seen, self._worked = seen, worked
        self._loop.call_later(LOOK_S, self._look)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.gc_s = max(self.gc_s, time.thread_time() - self._collecting)


def say(**values: object) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def serve(probe: Probe, instance: Instance | None) -> None:
    """Carry out commands until the input ends."""
    loop = asyncio.get_running_loop()
    while (word := (await loop.run_in_executor(None, sys.stdin.readline)).strip()) != "":
        if word == "reset":
            probe.reset()
            continue
        figures: dict[str, Any] = {"pause": probe.pause_s, "busy": probe.busy_s, "gc": probe.gc_s}
        figures["cpu"] = time.process_time() - probe.spent_before_s
        if instance is not None:
            registry = instance.info()["registry"]
            figures["slice"] = registry["longest_slice_ms"] / 1000
            figures["heard"] = instance.counters.registry_messages
            figures["work"] = registry["work_ms"] / 1000
            figures["snapshots"] = registry["snapshots"]["published"]
            figures["bytes"] = registry["snapshots"]["bytes"]
            figures["sessions"] = registry["sessions"]
        say(**figures)


async def main(words: list[str]) -> None:
    """Run the role."""
    raise_files_limit()
    probe = Probe(asyncio.get_running_loop())
    if words[0] == "broker":
        async with EmbeddedBroker() as broker:
            settle_garbage()
            say(url=broker.url)
            await serve(probe, None)
        return
    settings = msgspec.json.decode(words[1].encode(), type=InstanceSettings)
    async with Instance(settings) as instance:
        settle_garbage()
        say(url=instance.url)
        await serve(probe, instance)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        runner.run(main(sys.argv[1:]))
