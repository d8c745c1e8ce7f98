"""Waking up on time: the timers of event loops round to milliseconds, pushes should not.

On Linux a timerfd wakes the loop within some ten microseconds of the moment asked for; elsewhere
the loop's own timer does what it can, and what it is late shows as sender lag.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from ..clock import now_ns

_CLOCK_MONOTONIC = 1  # what perf_counter reads on Linux
_TFD_TIMER_ABSTIME = 1


class Alarm:
    """Calls ``callback`` in the loop once, at or soon after the moment last set."""

    def __init__(self, callback: Callable[[], None]) -> None:
        """Must be made while its loop is running."""
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._timer = _open_timer(self._loop, self._ring)

    def set(self, at_ns: int) -> None:
        """Ring at this moment of :func:`core.clock.now_ns`; replaces an earlier one."""
        if self._timer is not None:
            self._timer.set(max(1, at_ns))
            return
        self.clear()
        self._handle = self._loop.call_later(max(0.0, (at_ns - now_ns()) / 1e9), self._ring)

    def clear(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.set(0)
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def close(self) -> None:
        """Never ring again; may be called twice."""
        if self._timer is not None:
            self._loop.remove_reader(self._timer.fd)
            os.close(self._timer.fd)
            self._timer = None
        self.clear()

    def _ring(self) -> None:
        if self._timer is not None:
            try:
                os.read(self._timer.fd, 8)
            except BlockingIOError:
                return  # set anew between the wake-up and now
        self._callback()


class _TimerFd:
    """A timerfd (timerfd_create(2)) through the C library; Python has it from 3.13 on."""

    def __init__(self, libc: Any) -> None:
        import ctypes

        class Spec(ctypes.Structure):
            _fields_ = (
                ("interval_s", ctypes.c_long),
                ("interval_ns", ctypes.c_long),
                ("value_s", ctypes.c_long),
                ("value_ns", ctypes.c_long),
            )

        self._libc = libc
        self._spec: Any = Spec(0, 0, 0, 0)
        self._pointer: Any = ctypes.byref(self._spec)
        self.fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError("timerfd_create failed")

    def set(self, at_ns: int) -> None:
        """Ring at this moment of the monotonic clock; 0 disarms."""
        self._spec.value_s, self._spec.value_ns = divmod(at_ns, 1_000_000_000)
        self._libc.timerfd_settime(self.fd, _TFD_TIMER_ABSTIME, self._pointer, None)


def _open_timer(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> _TimerFd | None:
    """A timerfd watched by the loop; None where there is no such thing."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        timer = _TimerFd(ctypes.CDLL(None, use_errno=True))
    except (OSError, AttributeError):
        return None
    loop.add_reader(timer.fd, ring)
    return timer
