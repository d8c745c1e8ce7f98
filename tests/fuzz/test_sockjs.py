"""Anything that is sent to a SockJS service gets a definite answer; nothing is lost on the way back."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from server.sockjs.answers import Answer
from server.sockjs.dialect import SOCKJS, SPRING
from server.sockjs.paths import METHODS, target_of
from server.sockjs.receiving import callback_of
from server.sockjs.sending import messages_of
from tests.support.sockjs_bench import Bench, Taker

PIECES = st.lists(
    st.sampled_from(["/", "a", ".", "..", "info", "xhr", "iframe", ".html", "%", ";", "\n", "é", "websocket"])
)
CONTENT_TYPES = st.sampled_from(
    ["", "text/plain", "T", "application/x-www-form-urlencoded", "image/png", ";"]
)


@given(st.one_of(st.text(), PIECES.map("".join)))
def test_every_path_means_one_thing_or_nothing(path: str) -> None:
    target = target_of(path)
    if target is not None:
        assert target.kind in METHODS
        assert bool(target.session) == (target.kind not in ("greeting", "iframe", "info", "raw"))
        assert not set(target.session) & set("/.")


@given(st.binary(), CONTENT_TYPES, st.booleans())
def test_every_body_is_messages_or_an_error(body: bytes, content_type: str, form: bool) -> None:
    found = messages_of(body, content_type, form=form)
    if isinstance(found, Answer):
        assert found.status == 500
        assert found.body in (b"Payload expected.", b"Broken JSON encoding.")
    else:
        assert all(isinstance(each, str) for each in found)


@given(st.lists(st.text(st.characters(exclude_categories=[]))))
def test_messages_arrive_as_they_were_sent(messages: list[str]) -> None:
    assert messages_of(json.dumps(messages).encode(), "", form=False) == messages
    bench = Bench(max_waiting=1 << 30)
    for message in messages:
        bench.session.send(message)
    bench.attach()
    assert bench.session.take() == b"o"
    frame = bench.session.take()
    assert (frame is None) == (not messages)
    if frame is not None:
        assert json.loads(frame[1:]) == messages
        assert not {0x2028, 0x2029, 0xFFFF, 0x200C} & set(map(ord, frame.decode()))


@given(st.binary(), st.sampled_from([SOCKJS, SPRING]))
def test_a_callback_is_harmless_or_refused(query: bytes, dialect: object) -> None:
    found = callback_of(query, 32, SPRING if dialect is SPRING else SOCKJS)
    if isinstance(found, str):
        assert 0 < len(found) <= 32
        assert found.replace("-", "").replace(".", "").replace("_", "").isalnum()
        assert found.isascii()
    else:
        assert found.status == 500


class Play:
    """A session whose client does what the dice say, as far as a client can."""

    def __init__(self, high_water: int) -> None:
        self.bench = Bench(high_water=high_water)
        self.sent: list[str] = []
        self.got: list[str] = []
        self.opened = 0
        self.taker: Taker | None = None

    @property
    def over(self) -> bool:
        return self.bench.forgotten or (self.taker is not None and self.taker.aborted)

    def send(self) -> None:
        self.sent.append(str(len(self.sent)))
        self.bench.session.send(self.sent[-1])

    def attach(self) -> None:
        new = Taker()
        if self.bench.session.attach(new):
            assert self.taker is None or self.taker.finishing
            self.taker = new
        else:
            assert self.taker is not None

    def take(self) -> None:
        frame = self.bench.session.take() if self.taker is not None else None
        if frame == b"o":
            self.opened += 1
        elif frame is not None and frame != b"h":
            self.got.extend(json.loads(frame[1:]))

    def finish(self) -> None:
        if self.taker is not None:
            self.taker.finishing = True

    def detach(self) -> None:
        if self.taker is not None:
            self.bench.session.detach(self.taker)
            self.taker = None

    def wait(self) -> None:
        self.bench.clock.move(1 if self.taker is None else 20)


STEPS = [Play.send, Play.attach, Play.take, Play.finish, Play.detach, Play.wait]


@given(st.lists(st.sampled_from(STEPS), max_size=60), st.integers(1, 200))
def test_whatever_receivers_do_every_message_is_taken_once_and_in_order(
    steps: list[Callable[[Play], None]], high_water: int
) -> None:
    play = Play(high_water)
    for step in steps:
        step(play)
        if play.over:
            return
    if play.taker is None:
        play.attach()
    for _ in range(4):
        play.take()
    assert play.got == play.sent
    assert play.opened == 1
