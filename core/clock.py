"""The one clock that stamps sending and receiving on this machine."""

from __future__ import annotations

import time

#: Nanoseconds of a clock shared by all processes of this machine; never set back.
now_ns = time.perf_counter_ns

#: The same clock in seconds, for deadlines.
now = time.perf_counter
