"""Signals that end a program, in a loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from core.signals import on_stop_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_stops(number: signal.Signals) -> None:
    async def live() -> None:
        stopped = asyncio.Event()
        on_stop_signals(stopped.set)
        os.kill(os.getpid(), number)
        await stopped.wait()

    asyncio.run(live())


def test_who_was_told_to_outlive_the_terminal_does() -> None:
    async def live() -> signal.Handlers | object:
        on_stop_signals(lambda: None)
        return signal.getsignal(signal.SIGHUP)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert asyncio.run(live()) is signal.SIG_IGN
