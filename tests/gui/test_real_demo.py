"""The window with the real engine, the real cluster and real users, driven by clicks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, cast

import psutil
import pytest
from PySide6.QtWidgets import QApplication

from core.engine.messages import Problem
from gui.app import SHUTDOWN_SECONDS, Desktop, event_loop
from gui.settings import Settings

log = logging.getLogger("pushscope.tests")

pytestmark = pytest.mark.timeout(240)

Drive = Callable[[Callable[[Desktop], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def loop(app: QApplication) -> Iterator[asyncio.AbstractEventLoop]:
    """Qt's loop as asyncio's."""
    made = cast(asyncio.AbstractEventLoop, event_loop(app))
    yield made
    made.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def drive(app: QApplication, settings: Settings, loop: asyncio.AbstractEventLoop) -> Drive:
    """Run a scene on a fresh desktop, close it as a person would, and look for what it left."""

    async def play(scene: Callable[[Desktop], Coroutine[Any, Any, None]]) -> None:
        settings.language, settings.theme = "en", "light"
        desktop = Desktop(app, settings)
        desktop.window.resize(1440, 900)
        desktop.show()
        # Brokers that other tests share run on.
        before = set(psutil.Process().children(recursive=True))
        children: set[psutil.Process] = set()
        problems: list[Problem] = []
        desktop.session.problem.connect(problems.append)
        try:
            await scene(desktop)
        except BaseException:
            run = desktop.session.run
            log.error("run %s, cluster %s, problems %s", run.run, run.cluster, problems)
            log.error("steps %s", list(run.steps.values()))
            log.error("log %s", "\n".join(desktop.session.cluster.logs.get("*", ())))
            raise
        else:
            children = set(psutil.Process().children(recursive=True)) - before
            assert children, "the engine runs until the window is closed"
        finally:
            desktop.window.close()
            began = time.monotonic()
            await desktop.closed()
            log.info("closed within %.2f s (deadline %g s)", time.monotonic() - began, SHUTDOWN_SECONDS)
        assert not desktop.window.isVisible()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive

    def run(scene: Callable[[Desktop], Coroutine[Any, Any, None]]) -> None:
        loop.run_until_complete(play(scene))

    return run


async def until(done: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110 - what is waited for is what the window shows
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what}")


def test_the_demo_from_the_click_to_the_end(
    drive: Drive, record_property: Callable[[str, object], None]
) -> None:
    async def scene(desktop: Desktop) -> None:
        window, session = desktop.window, desktop.session
        waits: list[float] = []
        session.first_point.connect(waits.append)
        window.start.start.click()
        await until(lambda: bool(waits), "the first point")
        record_property("seconds from the click to the first point", round(waits[0], 2))
        log.info("first point %.2f s after the click", waits[0])
        await until(lambda: window.view == "latency", "the Latency view opens by itself")
        await until(lambda: window.latency.director.names() == ["i1", "i2", "i3"], "three curves")
        await until(lambda: window.strip.tile("users").figure.text == "60 / 60", "all users")
        await kill_i2(desktop)
        await push_once(desktop)
        await pause_and_add(desktop)
        window.topbar.action.click()
        await until(lambda: session.run.run == "stopped", "the run to stop")
        await until(lambda: bool(window.banner.title), "the result of the run")
        assert session.run.totals.delivered > 0
        assert session.run.next_action == "start"
        await run_again(desktop)

    drive(scene)


async def run_again(desktop: Desktop) -> None:
    """A second run on the cluster and with the users that are there."""
    window, session = desktop.window, desktop.session
    window.topbar.action.click()
    await until(lambda: session.run.run == "running", "a second run")
    await until(lambda: session.run.totals.delivered > 0, "deliveries of the second run")
    await until(lambda: window.strip.tile("users").figure.text == "60 / 60", "the same users")
    assert not session.lost.total


async def kill_i2(desktop: Desktop) -> None:
    window, session = desktop.window, desktop.session
    window.go_to("cluster")
    await until(lambda: "i2" in window.cluster.cards, "a card for i2")
    window.cluster.cards["i2"].buttons["kill"].click()
    await until(lambda: any(m.kind == "kill" for m in session.series.markers), "the marker of the kill")
    await until(lambda: window.rail.button("cluster").badge.text == "2/3", "the badge")

    def all_elsewhere() -> bool:
        counts = session.users.per_instance()
        return counts["i2"] == 0 and sum(counts.values()) == 60

    await until(all_elsewhere, "its users on the other instances")


async def push_once(desktop: Desktop) -> None:
    window, session = desktop.window, desktop.session
    window.go_to("push")
    push = window.push
    await until(lambda: push.to.findText("user-7") > 0, "users to push to")
    push.to.setCurrentText("user-7")
    push.via.setCurrentIndex(push.via.findData("i3"))
    push.send.click()
    await until(lambda: session.pushes.row_at(0).verdict == "delivered", "the delivery of one push")
    row = session.pushes.row_at(0)
    assert row.result is not None
    assert (row.result.status, row.result.instance, row.result.sessions) == (202, "i3", 1)


async def pause_and_add(desktop: Desktop) -> None:
    window, session = desktop.window, desktop.session
    window.go_to("cluster")

    def state(name: str) -> str:
        info = session.cluster.find(name)
        return info.state if info is not None else ""

    window.cluster.cards["i1"].buttons["pause"].click()
    await until(lambda: state("i1") == "paused", "i1 paused")
    window.cluster.cards["i1"].buttons["pause"].click()
    await until(lambda: state("i1") == "ready", "i1 resumed")
    window.cluster.add.click()
    await until(lambda: state("i4") == "ready", "i4 added")
    await until(lambda: "i4" in window.cluster.cards, "its card")


def test_a_start_can_be_cancelled(drive: Drive) -> None:
    async def scene(desktop: Desktop) -> None:
        window, run = desktop.window, desktop.session.run
        window.start.start.click()
        await until(lambda: run.cluster == "starting", "the cluster to start")
        window.start.cancel.click()
        await until(lambda: run.cluster == "stopped", "the cluster to be undone")
        assert run.next_action == "start"
        assert window.start.start.isEnabled()

    drive(scene)


def test_without_a_strategy_the_matrix_shows_the_bug(drive: Drive, settings: Settings) -> None:
    settings.instances, settings.users = 2, 10

    async def scene(desktop: Desktop) -> None:
        window, session = desktop.window, desktop.session
        window.topbar.strategy.setCurrentText("none")
        window.topbar.action.click()
        matrix = session.matrix

        def bug_is_seen() -> bool:
            if matrix.ids != ["i1", "i2"]:
                return False
            shades = [[matrix.paint(row, column).shade for column in range(2)] for row in range(2)]
            return shades == [["good", "bad"], ["bad", "good"]]

        await until(bug_is_seen, "the diagonal good, the rest bad")
        await until(lambda: window.strip.tile("lost").figure.tone == "danger", "losses in the headline")
        window.go_to("matrix")
        await until(lambda: window.matrix.lost.table.model().rowCount() > 0, "the lost messages")

    drive(scene)
