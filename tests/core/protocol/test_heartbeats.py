"""Heart-beats: the header, the agreement, and what is due when."""

from __future__ import annotations

import re

import pytest

from core.errors import HeartbeatLost
from core.protocol.heartbeats import SEND_AFTER, Heartbeats, parse_heartbeat


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (None, (0, 0)),
        ("", (0, 0)),
        ("10000", (0, 0)),
        ("0,0", (0, 0)),
        ("10000,20000", (10_000, 20_000)),
        ("2147483647,0", (2_147_483_647, 0)),
        ("0000000001,1", (1, 1)),
    ],
)
def test_the_header_is_two_plain_numbers(text: str | None, pair: tuple[int, int]) -> None:
    assert parse_heartbeat(text) == pair


@pytest.mark.parametrize(
    "text", ["2147483648,0", "0,2147483648", "00000000001,1", "-1,0", "1, 2", "١,1", "1,", "1,2,3"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_heartbeat(text)


@pytest.mark.parametrize(
    ("ours", "theirs", "send_s", "expect_s"),
    [
        ((0, 0), (0, 0), 0.0, 0.0),
        ((1000, 0), (0, 3000), 3.0, 0.0),
        ((5000, 0), (0, 3000), 5.0, 0.0),
        ((1000, 0), (0, 0), 0.0, 0.0),
        ((0, 2000), (4000, 0), 0.0, 4.0),
        ((0, 6000), (4000, 0), 0.0, 6.0),
        ((0, 6000), (0, 0), 0.0, 0.0),
    ],
)
def test_each_direction_beats_at_the_slower_of_both(
    ours: tuple[int, int], theirs: tuple[int, int], send_s: float, expect_s: float
) -> None:
    beats = Heartbeats(ours, theirs, now=7.0, tolerance=2.0)
    assert (beats.send_every, beats.expect_every) == (send_s, expect_s)
    assert (beats.last_sent, beats.last_received) == (7.0, 7.0)


def test_what_is_due_first_is_the_next_deadline() -> None:
    both = Heartbeats((10_000, 1000), (1000, 10_000), now=0.0, tolerance=3.0)
    assert both.next_deadline() == 3.0
    both.last_received = 100.0
    assert both.next_deadline() == 10 * SEND_AFTER
    assert Heartbeats((10_000, 0), (0, 10_000), now=1.0, tolerance=3.0).next_deadline() == 1 + 10 * SEND_AFTER
    assert Heartbeats((0, 1000), (1000, 0), now=1.0, tolerance=3.0).next_deadline() == 4.0
    assert Heartbeats((0, 0), (0, 0), now=1.0, tolerance=3.0).next_deadline() is None


def test_a_beat_is_due_once_in_an_interval() -> None:
    beats = Heartbeats((10_000, 0), (0, 10_000), now=0.0, tolerance=3.0)
    assert not beats.due(7.9)
    assert beats.due(8.0)
    assert beats.last_sent == 8.0
    assert not beats.due(15.9)
    assert beats.due(16.0)


def test_a_peer_is_lost_after_so_many_silent_intervals() -> None:
    beats = Heartbeats((0, 1000), (1000, 0), now=0.0, tolerance=3.0)
    assert not beats.due(2.9)
    with pytest.raises(HeartbeatLost, match=r"no heart-beat for 3\.0 s; one was agreed on every 1 s"):
        beats.due(3.0)
