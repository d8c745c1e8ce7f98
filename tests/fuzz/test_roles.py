"""Each role under attack at its socket: it answers who behaves, keeps nothing, and says no traceback.

The ordinary run makes some hundred visits with fixed seeds. ``python3 dev.py test --long`` attacks each role
for three minutes with all cores. ``PUSHSCOPE_FUZZ_SECONDS`` sets another time and ``PUSHSCOPE_FUZZ_SEED`` the
seed, which is printed otherwise: the visits of a seed say the same each time, in whatever order they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import until

from .targets import ROLES, Target, target

SECONDS = float(os.environ.get("PUSHSCOPE_FUZZ_SECONDS", "180"))
#: No round of a client that behaves takes longer, however busy the machine is.
HANG_S = 30.0
#: For deadlines of handshakes, SockJS sessions and what gateways keep for reuse.
SETTLE_S = 90.0
#: An allocator keeps what the largest crowd of visitors took, and gives or takes some MiB afterwards; the
#: first half of an attack makes that crowd. What a visit costs at least if it is not given back is a few
#: KiB (an exception with its frames, a session), and three minutes are tens of thousands of visits.
GROWTH = 8 * 2**20
_UNLIMITED = 2**40

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counts descriptors")


class Attack:
    """Attackers against a target while a client that behaves is served."""

    def __init__(self, target: Target, seed: str) -> None:
        self._target = target
        self._seed = seed
        self.visits = 0
        self.rounds = 0
        self.slowest_s = 0.0

    async def run(self, processes: int, visits: int, seconds: float) -> None:
        """One wave of attackers; returns when they have gone and everything is closed."""
        serving = asyncio.create_task(self._serve())
        try:
            first = self.visits
            waves = [self._wave(first + number * _UNLIMITED, visits, seconds) for number in range(processes)]
            attacking = asyncio.gather(*waves)
            await asyncio.wait({serving, attacking}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            self.visits += sum(await attacking)
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        await self._target.tidy()

    async def _serve(self) -> None:
        while True:
            begun = time.monotonic()
            async with asyncio.timeout(HANG_S):
                await self._target.serve()
            self.rounds += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            await asyncio.sleep(0.05)

    async def _wave(self, first: int, visits: int, seconds: float) -> int:
        role = self._target.role
        words = [role.name, str(role.port), self._seed, str(first), str(visits), str(seconds)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fuzz.attackers", *words, stdout=asyncio.subprocess.PIPE
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return int(json.loads(output)["visits"])


def faults(target: Target) -> list[str]:
    """Tracebacks and errors in the logs, with what stands around them."""
    found: list[str] = []
    for role in (target.role, *target.others):
        for number, line in enumerate(role.log):
            if "Traceback (most recent call last)" in line or re.search(r" (ERROR|CRITICAL) ", line):
                found.append("\n".join([role.name, *role.log[max(0, number - 2) : number + 90]]))
            elif "broker" in line and "is not available" in line:
                found.append(f"{role.name}: the broker cut its link: {line}")
    return found


async def attacked(name: str, seed: str, folder: Path, processes: int, visits: int, seconds: float) -> None:
    """Attack a role in two halves and look at what is left after each."""
    async with target(name, folder) as place:
        await place.serve()
        idle = place.role.descriptors()
        attack = Attack(place, seed)
        resident: list[int] = []
        for _ in range(2):
            await attack.run(processes, visits // 2, seconds / 2)
            assert not place.role.ended, f"{name} {place.role.ended}"
            await until(lambda: place.role.descriptors() <= idle, f"{name} has {idle} descriptors", SETTLE_S)
            resident.append(place.role.resident())
        await place.serve()
        half, end = (round(each / 2**20, 1) for each in resident)
        print(  # noqa: T201
            f"{name}: seed {seed}, {attack.visits} visits, {attack.rounds} rounds of a client that behaves "
            f"(the slowest {attack.slowest_s:.1f} s), {half} MiB at the half, {end} MiB at the end"
        )
        found = faults(place)
        assert not found, f"seed {seed}, {len(found)} faults, the first three:\n" + "\n\n".join(found[:3])
        assert resident[1] - resident[0] <= GROWTH, f"seed {seed}: from {half} to {end} MiB"


@pytest.mark.parametrize("name", ROLES)
async def test_a_role_under_attack(name: str, tmp_path: Path) -> None:
    await attacked(name, "1", tmp_path, processes=1, visits=400, seconds=30.0)


@pytest.mark.long
@pytest.mark.timeout(2 * SECONDS + 600)
@pytest.mark.parametrize("name", ROLES)
async def test_a_role_under_attack_for_long(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = os.environ.get("PUSHSCOPE_FUZZ_SEED", "") or secrets.token_hex(4)
    with capsys.disabled():
        print(f"\n{name}: PUSHSCOPE_FUZZ_SEED={seed}", flush=True)  # noqa: T201
        await attacked(name, seed, tmp_path, os.cpu_count() or 1, _UNLIMITED, SECONDS)
