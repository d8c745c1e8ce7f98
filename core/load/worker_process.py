"""A worker in a process of its own: orders on standard input, reports on standard output.

End of standard input means that the engine is gone: the worker ends as well.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

from ..errors import ExitCode
from ..files_limit import raise_files_limit
from ..lifeline import bind_to_parent, exit_within
from ..pipes import LineWriter, read_lines
from .orders import Order, Quit, decode_order, encode_line
from .worker import Worker

#: Seconds for saying goodbye to everybody before the process is ended hard.
_STOP_WITHIN = 8.0


def run_worker() -> int:
    """Run until :class:`Quit` or the end of standard input; the result is the exit code."""
    bind_to_parent()
    raise_files_limit()
    # Pushes are many small objects without cycles: looking through them again and again is waste.
    gc.set_threshold(50_000, 50, 100)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve())
    return ExitCode.PASS


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's loop where there is uvloop (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve() -> None:
    orders: asyncio.Queue[Order] = asyncio.Queue()
    writer = LineWriter(sys.stdout.fileno())

    def parent_gone() -> None:
        exit_within(2.0)
        orders.put_nowait(Quit())

    read_lines(sys.stdin.fileno(), lambda line: orders.put_nowait(decode_order(line)), parent_gone)
    async with Worker(lambda report: writer.write(encode_line(report))) as worker:
        gc.freeze()
        while not isinstance(order := await orders.get(), Quit):
            await worker.handle(order)
        exit_within(_STOP_WITHIN)
    writer.close()
