"""Background tasks: kept, named, and never failing in silence."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from core.tasks import BackgroundTasks, log_failure


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[logging.LogRecord]:
    """What is logged about failures; these tests fail tasks on purpose."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger = logging.getLogger("pushscope.tasks")
    monkeypatch.setattr(logger, "handlers", [Keep()])
    return records


async def fail() -> None:
    raise ValueError("no such thing")


async def test_a_failure_is_logged_with_the_name_of_its_task(failures: list[logging.LogRecord]) -> None:
    errors: list[BaseException] = []
    tasks = BackgroundTasks(errors.append)
    tasks.start(fail(), "dial i2")
    await tasks.finish()
    (record,) = failures
    assert record.levelno == logging.ERROR
    assert "'dial i2'" in record.getMessage()
    assert record.exc_info is not None and isinstance(record.exc_info[1], ValueError)
    assert [str(error) for error in errors] == ["no such thing"]


async def test_a_failure_is_logged_when_it_happens_not_when_the_task_is_collected(
    failures: list[logging.LogRecord],
) -> None:
    tasks = BackgroundTasks()
    kept = tasks.start(fail(), "kept")
    await asyncio.wait([kept])
    await asyncio.sleep(0)
    assert len(failures) == 1
    del kept
    gc.collect()
    assert len(failures) == 1


async def test_finish_waits_also_for_what_starts_meanwhile() -> None:
    tasks, done = BackgroundTasks(), list[str]()

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        tasks.start(second(), "second")
        done.append("first")

    tasks.start(first(), "first")
    await tasks.finish()
    assert done == ["first", "second"]
    assert len(tasks) == 0


async def test_cancel_ends_all_but_the_one_that_asks(failures: list[logging.LogRecord]) -> None:
    tasks, ended = BackgroundTasks(), list[str]()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def stop() -> None:
        await tasks.cancel()
        ended.append("stopping")

    tasks.start(wait(), "waits")
    await asyncio.sleep(0)
    await tasks.start(stop(), "stops")
    assert ended == ["waiting", "stopping"]
    assert failures == []


async def test_who_awaits_a_task_gets_its_failure(failures: list[logging.LogRecord]) -> None:
    tasks = BackgroundTasks()
    with pytest.raises(ValueError, match="no such thing"):
        await tasks.start(fail(), "start i2", awaited=True)
    assert len(tasks) == 0
    assert failures == []


async def test_the_result_is_that_of_the_coroutine() -> None:
    async def work() -> int:
        return 7

    tasks = BackgroundTasks()
    assert await tasks.start(work(), "work") == 7
    await tasks.cancel()


async def test_a_task_of_somebody_else_can_be_watched(failures: list[logging.LogRecord]) -> None:
    task = asyncio.create_task(fail(), name="theirs")
    task.add_done_callback(log_failure)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "'theirs'" in failures[0].getMessage()
