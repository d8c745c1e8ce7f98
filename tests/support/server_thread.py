"""A server in a thread with an event loop of its own kind, for tests whose loop is another."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def in_thread(
    make: Callable[[], AbstractAsyncContextManager[T]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> Generator[T]:
    """Enter what ``make`` returns on a loop in a thread, and leave it there at the end.

    Raises:
        Exception: Whatever entering or leaving it raised.
    """
    entered: Future[tuple[T, Callable[[], object]]] = Future()
    left: Future[None] = Future()

    async def live() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with make() as value:
            entered.set_result((value, functools.partial(loop.call_soon_threadsafe, stopping.set)))
            await stopping.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(live())
        except BaseException as error:
            (left if entered.done() else entered).set_exception(error)
        else:
            left.set_result(None)

    thread = threading.Thread(target=run, name="server-thread")
    thread.start()
    try:
        value, stop = entered.result(30)
        try:
            yield value
        finally:
            stop()
            left.result(30)
    finally:
        thread.join()
