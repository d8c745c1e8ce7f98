"""Single pushes outside of a run: joins the instance's answer and the delivery."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from ..load.orders import OnceAnswered, OnceArrived
from .messages import PushResult

#: Single pushes whose delivery is still waited for.
_KEPT: Final = 1000


class Singles:
    """Emits a :class:`PushResult` when the instance answered, and again when the push arrived."""

    def __init__(self, emit: Callable[[PushResult], None]) -> None:
        self._emit = emit
        self._results: OrderedDict[int, tuple[PushResult, int]] = OrderedDict()
        self._early: OrderedDict[int, int] = OrderedDict()

    def answered(self, report: OnceAnswered) -> None:
        """The instance answered, or did not."""
        result = PushResult(
            report.ref, report.status, report.instance, report.sessions, report.body, report.accepted_ms
        )
        received_ns = self._early.pop(report.ref, 0)
        if received_ns:
            result = _delivered(result, received_ns - report.intended_ns)
        else:
            self._results[report.ref] = (result, report.intended_ns)
            if len(self._results) > _KEPT:
                self._results.popitem(last=False)
        self._emit(result)

    def arrived(self, report: OnceArrived) -> None:
        """A user received it; only the first delivery of a broadcast is told."""
        known = self._results.pop(report.ref, None)
        if known is not None:
            result, intended_ns = known
            self._emit(_delivered(result, report.received_ns - intended_ns))
        elif report.ref not in self._early:
            self._early[report.ref] = report.received_ns
            if len(self._early) > _KEPT:
                self._early.popitem(last=False)


def _delivered(result: PushResult, latency_ns: int) -> PushResult:
    return msgspec.structs.replace(result, delivered_ms=round(latency_ns / 1e6, 3))
