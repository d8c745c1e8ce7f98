"""The record of a run: what is written is read again, and a full disk ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.load.record import Recorder, read_deliveries

#: Says "no space left on device" to whoever writes.
FULL = Path("/dev/full")


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", "run", 10**9)
    recorder.stray("misrouted", "u", "i1", 3, 5)
    recorder.close()
    recorder.close()
    assert recorder.failure == ""
    assert [row.verdict for row in read_deliveries(tmp_path / "r")] == ["misrouted"]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_kept_as_the_reason() -> None:
    recorder = Recorder(FULL, "run", 10**9)
    for seq in range(2000):  # more than the file's buffer holds
        recorder.stray("duplicate", "u", "i1", seq, 5)
    recorder.close()
    assert recorder.failure == "its record /dev/full: No space left on device"


def test_a_place_that_is_not_there_is_kept_as_the_reason(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "gone" / "r", "run", 10**9)
    recorder.stray("duplicate", "u", "i1", 1, 5)
    recorder.close()
    assert recorder.failure.endswith("gone/r: No such file or directory")
