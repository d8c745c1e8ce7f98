"""Once a second: what each process costs, and how many sessions each instance holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import psutil

from .member import Member, Sample
from .probe import get_json

_INTERVAL = 1.0
#: A paused instance never answers; the others' samples do not wait for it.
_ANSWER_WITHIN = 0.8


def _broker_trouble(info: Mapping[str, object] | None) -> str:
    broker = info.get("broker") if info is not None else None
    if not isinstance(broker, dict):
        return ""
    said = cast("dict[str, object]", broker)
    return "" if said.get("available") is not False else str(said.get("reason") or "not available")


class Sampler:
    """Samples the members that ``members`` names, for as long as :meth:`run` runs."""

    def __init__(self, members: Callable[[], Sequence[Member]]) -> None:
        self._members = members
        self._processes: dict[int, psutil.Process] = {}

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(_INTERVAL)

    async def once(self) -> None:
        """Take one sample of each member and hand it over."""
        members = [member for member in self._members() if member.alive]
        pids = {member.pid for member in members}
        self._processes = {pid: kept for pid, kept in self._processes.items() if pid in pids}
        async with asyncio.TaskGroup() as group:
            for member in members:
                group.create_task(self._sample(member))

    async def _sample(self, member: Member) -> None:
        sessions, trouble = -1, ""
        if member.state == "ready":
            info = await get_json(f"{member.url}/info", within=_ANSWER_WITHIN)
            found = info.get("sessions") if info is not None else None
            sessions = found if isinstance(found, int) else -1
            trouble = _broker_trouble(info)
        cpu, rss = self._cost(member.pid)
        member.note_sample(Sample(sessions, cpu, rss, trouble))

    def _cost(self, pid: int | None) -> tuple[float, int]:
        """Per cent of one core since the last sample, and resident bytes."""
        if pid is None:
            return -1.0, -1
        try:
            process = self._processes.get(pid)
            if process is None:
                # The first call of cpu_percent begins the interval and means nothing.
                process = self._processes[pid] = psutil.Process(pid)
                process.cpu_percent()
                return -1.0, process.memory_info().rss
            return process.cpu_percent(), process.memory_info().rss
        except psutil.Error:
            return -1.0, -1
