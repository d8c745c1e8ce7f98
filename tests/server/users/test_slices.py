"""Long work in slices, with a clock that is turned by the work itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from server.users.slices import SLICE_S, Slicer


class Loop:
    """Turns of a loop, and the time that work takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.waiting: list[Callable[[], None]] = []
        self.slicer = Slicer(self._later, lambda: self.now, lambda: self.now)

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        assert delay == 0
        self.waiting.append(call)

    def work(self, log: list[str], name: str, steps: int) -> Iterator[None]:
        """Steps that take a quarter of a slice each."""
        for _ in range(steps):
            self.now += SLICE_S / 4
            log.append(name)
            yield

    def run(self) -> None:
        """Turn until nothing is left."""
        while self.waiting:
            self.turns += 1
            waiting, self.waiting = self.waiting, []
            for call in waiting:
                call()


def test_short_work_is_done_at_once() -> None:
    loop = Loop()
    log: list[str] = []
    loop.slicer.add(loop.work(log, "a", 2))
    assert log == ["a", "a"]
    assert not loop.waiting


def test_long_work_is_done_in_turns_of_a_slice_and_in_order() -> None:
    loop = Loop()
    log: list[str] = []
    loop.slicer.add(loop.work(log, "a", 40))
    loop.slicer.add(loop.work(log, "b", 4))
    assert len(log) == 4
    loop.run()
    assert log == ["a"] * 40 + ["b"] * 4
    assert loop.turns >= 10
    assert loop.slicer.longest_s <= SLICE_S * 1.01
    assert loop.slicer.spent_s == pytest.approx(44 * SLICE_S / 4)  # pyright: ignore[reportUnknownMemberType]


def test_work_that_fails_does_not_keep_others_from_being_done(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    log: list[str] = []

    def fails() -> Iterator[None]:
        yield
        raise ValueError("broken")

    loop.slicer.add(fails())
    loop.slicer.add(loop.work(log, "b", 1))
    assert log == ["b"]
    assert "failed" in caplog.text


def test_before_any_work_there_was_none() -> None:
    slicer = Loop().slicer
    assert (slicer.longest_s, slicer.spent_s) == (0.0, 0.0)
