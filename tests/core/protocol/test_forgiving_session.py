"""A session that goes on after a wrong frame, as RabbitMQ's do."""

from __future__ import annotations

import pytest

from core.errors import LocalProtocolError
from core.protocol import (
    RABBITMQ_WORDING,
    ClientSession,
    Connect,
    ErrorReceived,
    Frame,
    Malformed,
    Send,
    ServerEvent,
    ServerSession,
    StompParser,
    Subscribe,
    Unsubscribe,
    encode,
)

GOOD = encode("SEND", {"destination": "/topic/a"}, b"x")


def new(*, connect: bool = True) -> ServerSession:
    session = ServerSession(
        session_id="s1", server_name="Pushscope/0.1", wording=RABBITMQ_WORDING, forgiving=True
    )
    if connect:
        session.receive(encode("CONNECT", {"accept-version": "1.2"}), 0.0)
        session.connected()
    return session


def answer(event: ServerEvent) -> Frame:
    assert isinstance(event, Malformed)
    (frame,) = StompParser().feed(event.error.answer)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(
    ("wire", "message", "detail"),
    [
        (b"FOO\n\n\0", "Bad command", b'Could not interpret command "FOO"\n'),
        (b"FOO\na:b\n\nbody\0", "Bad command", b'Could not interpret command "FOO"\n'),
        (b"MESSAGE\n\n\0", "Bad command", b'Could not interpret command "MESSAGE"\n'),
        (b"SEND\n\nx\0", "Missing destination", b"\"SEND\" must include a 'destination' header\n"),
        (b"ACK\n\n\0", "Missing header", b'"ACK" must include the "id" header\n'),
        (
            b"UNSUBSCRIBE\n\n\0",
            "Missing destination or id",
            b"UNSUBSCRIBE must include a 'destination' or 'id' header",
        ),
        (b"BEGIN\n\n\0", "Missing transaction", b"\"BEGIN\" must include a 'transaction' header\n"),
        (b"COMMIT\ntransaction:t\n\n\0", "Bad transaction", b'Invalid transaction identifier: "t"\n'),
    ],
)
def test_a_wrong_frame_is_answered_and_the_next_one_taken(wire: bytes, message: str, detail: bytes) -> None:
    for pieces in ([wire + GOOD], [bytes([byte]) for byte in wire + GOOD]):
        session = new()
        events = [event for piece in pieces for event in session.receive(piece, 0.0)]
        wrong, good = events
        assert isinstance(wrong, Malformed) and not wrong.fatal
        error = answer(wrong)
        assert (error.headers["message"], error.body) == (message, detail)
        assert isinstance(good, Send)


@pytest.mark.parametrize(
    "wire",
    [b"foo\n\n\0", b"F0O\n\n\0", b"SEND\nno colon\n\nx\0", encode("CONNECT", {"accept-version": "1.2"})],
)
def test_what_cannot_be_trusted_ends_it_even_so(wire: bytes) -> None:
    session = new()
    (event,) = session.receive(wire + GOOD, 0.0)
    assert isinstance(event, Malformed) and event.fatal
    assert session.receive(GOOD, 0.0) == []


def test_before_connect_frames_are_refused_one_by_one() -> None:
    session = new(connect=False)
    first, second, connect = session.receive(GOOD + GOOD + encode("CONNECT", {"accept-version": "1.2"}), 0.0)
    assert answer(first).headers["message"] == answer(second).headers["message"] == "Illegal command"
    assert isinstance(connect, Connect)


def test_a_refused_connect_may_be_followed_by_a_better_one() -> None:
    session = new(connect=False)
    session.receive(encode("CONNECT", {"accept-version": "1.2", "passcode": "wrong"}), 0.0)
    session.connect_again()
    (event,) = session.receive(encode("CONNECT", {"accept-version": "1.1", "passcode": "right"}), 0.0)
    assert isinstance(event, Connect) and event.version == "1.1"
    assert b"heart-beat:3000,0\n" in session.connected(heartbeat=(3000, 0))


def test_a_subscription_without_an_id_is_named_by_its_destination() -> None:
    session = new()
    subscribed, unsubscribed = session.receive(
        encode("SUBSCRIBE", {"destination": "/topic/a"}) + encode("UNSUBSCRIBE", {"destination": "/topic/a"}),
        0.0,
    )
    assert isinstance(subscribed, Subscribe) and subscribed.id == "/topic/a"
    assert isinstance(unsubscribed, Unsubscribe) and unsubscribed.destination == "/topic/a"


def test_a_forgiving_client_goes_on_after_an_error() -> None:
    for forgiving in (False, True):
        session = ClientSession(forgiving=forgiving)
        session.connect("/")
        session.receive(encode("CONNECTED", {"version": "1.2"}), 0.0)
        (event,) = session.receive(encode("ERROR", {"message": "Invalid destination"}), 0.0)
        assert isinstance(event, ErrorReceived)
        if forgiving:
            assert session.send("/topic/a").startswith(b"SEND\n")
        else:
            with pytest.raises(LocalProtocolError):
                session.send("/topic/a")
