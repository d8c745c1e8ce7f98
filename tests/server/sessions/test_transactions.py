"""What transactions hold back, and how much of it they may."""

from __future__ import annotations

import pytest

from core.protocol import Ack, Send
from core.protocol.frames import Frame
from server.messages.refusal import Refusal
from server.sessions.transactions import MOST_BYTES, MOST_FRAMES, MOST_OPEN, Transactions


def send(body: bytes = b"", **headers: str) -> Send:
    return Send(Frame("SEND", {"destination": "/a", **headers}, body), "/a")


#: A frame, a header, and the text of the header ``destination:/a``.
LEAST = 64 + 64 + len("destination") + len("/a")


def test_frames_come_out_in_the_order_in_which_they_went_in() -> None:
    held = Transactions()
    held.begin("a")
    held.begin("b")
    frames = [send(b"1"), Ack(Frame("ACK", {"id": "7"}), "7", "a"), send(b"2")]
    for frame in frames:
        held.hold("a", frame)
    held.hold("b", send(b"other"))
    assert held.end("a") == frames
    assert held.end("a") == []
    assert held.end("never begun") == []
    assert len(held.end("b")) == 1


def test_heads_and_bodies_count_and_what_has_ended_does_not() -> None:
    held = Transactions()
    held.begin("a")
    held.begin("b")
    held.hold("a", send(b"12345"))
    assert held.size == LEAST + 5
    held.hold("b", send(b"", name="value"))
    assert held.size == LEAST + 5 + LEAST + 64 + 9
    held.end("a")
    assert held.size == LEAST + 64 + 9
    held.end("b")
    assert held.size == 0


def test_what_was_not_begun_holds_nothing() -> None:
    held = Transactions()
    with pytest.raises(Refusal, match="Bad transaction") as refused:
        held.hold("a", send())
    assert refused.value.detail == "Transaction 'a' was not begun"
    held.begin("a")
    held.check("a")
    held.end("a")
    with pytest.raises(Refusal):
        held.check("a")
    assert held.size == 0


def test_a_session_may_have_so_many_open_and_no_more() -> None:
    held = Transactions()
    for number in range(MOST_OPEN):
        held.begin(str(number))
    with pytest.raises(Refusal) as refused:
        held.begin("one more")
    assert refused.value.detail == "A session may have 16 open"
    held.end("3")
    held.begin("one more")


def test_a_transaction_may_hold_so_many_frames_and_no_more() -> None:
    held = Transactions()
    held.begin("a")
    for _ in range(MOST_FRAMES):
        held.hold("a", send())
    with pytest.raises(Refusal) as refused:
        held.hold("a", send())
    assert refused.value.detail == "Transaction 'a' holds more than 1024 frames"
    assert held.size == MOST_FRAMES * LEAST
    held.begin("b")
    held.hold("b", send())


def test_a_session_may_hold_exactly_a_mebibyte() -> None:
    held = Transactions()
    held.begin("a")
    held.begin("b")
    held.hold("a", send(bytes(MOST_BYTES - 2 * LEAST)))
    held.hold("b", send())
    assert held.size == MOST_BYTES == 1024 * 1024
    with pytest.raises(Refusal) as refused:
        held.hold("b", send())
    assert refused.value.detail == "The transactions of a session hold more than 1 MiB"
