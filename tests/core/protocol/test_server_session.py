"""The server's side of a connection."""

from __future__ import annotations

import pytest

from core.errors import CloseCode, HeartbeatLost, LocalProtocolError
from core.protocol import (
    HEARTBEAT_RECEIVED,
    RABBITMQ_WORDING,
    Abort,
    Ack,
    Begin,
    Commit,
    Connect,
    Disconnect,
    Frame,
    Malformed,
    Nack,
    Send,
    ServerEvent,
    ServerSession,
    StompParser,
    Subscribe,
    Unsubscribe,
    Wording,
    encode,
)
from core.protocol.violations import OWN_WORDING

CONNECT = {"accept-version": "1.0,1.1,1.2", "host": "push", "heart-beat": "10000,10000"}


def new(**settings: object) -> ServerSession:
    return ServerSession(session_id="s1", server_name="Pushscope/0.1", **settings)  # pyright: ignore[reportArgumentType]


def connected(version: str = "1.2", *, wording: Wording = OWN_WORDING) -> ServerSession:
    session = ServerSession(session_id="s1", server_name="Pushscope/0.1", wording=wording)
    session.receive(encode("CONNECT", {"accept-version": version}), 0.0)
    session.connected()
    return session


def one(session: ServerSession, command: str, headers: dict[str, str], body: bytes = b"") -> ServerEvent:
    [event] = session.receive(encode(command, headers, body), 1.0)
    return event


def read(wire: bytes) -> Frame:
    [frame] = StompParser().feed(wire)
    assert isinstance(frame, Frame)
    return frame


def refused(session: ServerSession, command: str, headers: dict[str, str]) -> Frame:
    """The ERROR that answers a violation."""
    event = one(session, command, headers)
    assert isinstance(event, Malformed)
    assert event.error.close_code == CloseCode.PROTOCOL_ERROR
    assert session.receive(encode("SEND", {"destination": "/topic/a"}), 2.0) == []
    return read(event.error.answer)


# ---- connecting ------------------------------------------------------------------------------


def test_connecting() -> None:
    session = new()
    event = one(session, "STOMP", {**CONNECT, "login": "joe", "passcode": "secret", "receipt": "r"})
    assert isinstance(event, Connect)
    assert (event.login, event.passcode, event.host) == ("joe", "secret", "push")
    assert (event.version, event.heartbeat, event.receipt) == ("1.2", (10_000, 10_000), "r")
    assert not session.connected_done
    assert read(session.connected({"instance": "i1", "user-name": "joe"})) == Frame(
        "CONNECTED",
        {
            "version": "1.2",
            "session": "s1",
            "server": "Pushscope/0.1",
            "heart-beat": "10000,10000",
            "instance": "i1",
            "user-name": "joe",
        },
    )
    assert session.connected_done


def test_the_passcode_is_in_no_repr() -> None:
    session = new()
    event = one(session, "CONNECT", {**CONNECT, "passcode": "s3cret", "Authorization": "Bearer s3cret"})
    assert isinstance(event, Connect)
    for text in (repr(event), str(event), f"{event.frame}", repr([event]), repr(event.__rich_repr__())):
        assert "s3cret" not in text
    assert "passcode" in repr(event.frame)


@pytest.mark.parametrize(
    ("accepted", "version"),
    [("1.0,1.1,1.2", "1.2"), ("1.1,1.0", "1.1"), ("1.0", "1.0"), (None, "1.0"), ("1.3,2.0,1.1", "1.1")],
)
def test_the_highest_common_version(accepted: str | None, version: str) -> None:
    session = new()
    one(session, "CONNECT", {} if accepted is None else {"accept-version": accepted})
    assert session.version == version
    assert read(session.connected()).headers["version"] == version


def test_no_common_version() -> None:
    error = refused(new(), "CONNECT", {"accept-version": "2.0,3.0"})
    assert error.headers["message"] == "no common STOMP version"
    assert error.headers["version"] == "1.0,1.1,1.2"
    assert b"2.0,3.0" in error.body


@pytest.mark.parametrize("value", ["10000", "", "x"])
def test_a_heartbeat_without_comma_is_none(value: str) -> None:
    event = one(new(), "CONNECT", {**CONNECT, "heart-beat": value})
    assert isinstance(event, Connect)
    assert event.heartbeat == (0, 0)


@pytest.mark.parametrize("value", ["1,2,3", "10000, 10000", "-1,0", "a,b", ",", "99999999999,0", "1e3,0"])
def test_bad_heartbeats(value: str) -> None:
    error = refused(new(), "CONNECT", {**CONNECT, "heart-beat": value})
    assert error.headers["message"] == "CONNECT with an invalid header 'heart-beat'"


def test_connected_answers_one_connect() -> None:
    session = new()
    with pytest.raises(LocalProtocolError):
        session.connected()
    one(session, "CONNECT", CONNECT)
    with pytest.raises(LocalProtocolError, match="line end"):
        session.connected({"user-name": "joe\nadmin:true"})
    session.connected()
    with pytest.raises(LocalProtocolError):
        session.connected()


# ---- frames ----------------------------------------------------------------------------------


def test_events_of_frames() -> None:
    session = connected()
    send = one(session, "SEND", {"destination": "/app/hello", "receipt": "1"}, b"ssss")
    assert isinstance(send, Send)
    assert (send.destination, send.frame.body, send.receipt, send.transaction) == (
        "/app/hello",
        b"ssss",
        "1",
        None,
    )
    subscribe = one(session, "SUBSCRIBE", {"id": "sub-0", "destination": "/topic/a", "ack": "client"})
    assert isinstance(subscribe, Subscribe)
    assert (subscribe.id, subscribe.destination, subscribe.ack) == ("sub-0", "/topic/a", "client")
    assert session.subscriptions == {"sub-0": "/topic/a"}
    ack = one(session, "ACK", {"id": "m1"})
    assert isinstance(ack, Ack)
    assert (ack.id, ack.transaction, ack.receipt) == ("m1", None, None)
    nack = one(session, "NACK", {"message-id": "m1"})
    assert isinstance(nack, Nack)
    assert nack.id == "m1"
    unsubscribe = one(session, "UNSUBSCRIBE", {"id": "sub-0"})
    assert isinstance(unsubscribe, Unsubscribe)
    assert (unsubscribe.id, unsubscribe.destination) == ("sub-0", "/topic/a")
    again = one(session, "UNSUBSCRIBE", {"id": "sub-0"})
    assert isinstance(again, Unsubscribe)
    assert again.destination is None
    assert isinstance(one(session, "DISCONNECT", {"receipt": "bye"}), Disconnect)
    assert session.receive(encode("SEND", {"destination": "/topic/a"}), 2.0) == []


def test_transactions() -> None:
    session = connected()
    assert one(session, "BEGIN", {"transaction": "t"}) == Begin(Frame("BEGIN", {"transaction": "t"}), "t")
    send = one(session, "SEND", {"destination": "/topic/a", "transaction": "t"})
    assert isinstance(send, Send)
    assert send.transaction == "t"
    ack = one(session, "ACK", {"id": "1", "transaction": "t"})
    assert isinstance(ack, Ack)
    assert ack.transaction == "t"
    assert isinstance(one(session, "COMMIT", {"transaction": "t"}), Commit)
    assert session.transactions == set()
    one(session, "BEGIN", {"transaction": "t"})
    assert isinstance(one(session, "ABORT", {"transaction": "t"}), Abort)


def test_stomp_1_0_subscribes_by_destination() -> None:
    session = connected("1.0")
    subscribe = one(session, "SUBSCRIBE", {"destination": "/topic/a"})
    assert isinstance(subscribe, Subscribe)
    assert subscribe.id == "/topic/a"
    unsubscribe = one(session, "UNSUBSCRIBE", {"destination": "/topic/a"})
    assert isinstance(unsubscribe, Unsubscribe)
    assert unsubscribe.destination == "/topic/a"


def test_stomp_1_0_knows_no_escapes() -> None:
    session = connected("1.0")
    [event] = session.receive(b"SEND\ndestination:/topic/a\nfile:C:\\temp\\x\nid:a\\cb\n\n\0", 1.0)
    assert isinstance(event, Send)
    assert event.frame.headers["file"] == "C:\\temp\\x"
    assert event.frame.headers["id"] == "a:b"  # what we escaped comes back


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_acknowledging_before_1_2(version: str) -> None:
    ack = one(connected(version), "ACK", {"message-id": "m1", "subscription": "1"})
    assert isinstance(ack, Ack)
    assert ack.id == "m1"


def test_heartbeats_are_reported() -> None:
    assert connected().receive(b"\n", 1.0) == [HEARTBEAT_RECEIVED]
    assert new().receive(b"\n", 1.0) == [HEARTBEAT_RECEIVED]  # harmless before CONNECT


# ---- violations ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE", "ACK", "DISCONNECT"])
def test_frames_before_connect(command: str) -> None:
    error = refused(new(), command, {"destination": "/topic/a", "id": "1", "receipt": "r7"})
    assert error.headers["message"] == f"{command} before CONNECT"
    assert error.headers["receipt-id"] == "r7"
    assert error.headers["content-type"] == "text/plain"
    assert b"The first frame must be CONNECT" in error.body


@pytest.mark.parametrize(
    ("command", "headers", "message"),
    [
        ("CONNECT", CONNECT, "CONNECT in a session that is already connected"),
        ("MESSAGE", {}, "MESSAGE is sent by servers only"),
        ("CONNECTED", {}, "CONNECTED is sent by servers only"),
        ("SEND", {}, "SEND without the header 'destination'"),
        ("SEND", {"destination": ""}, "SEND without the header 'destination'"),
        ("SEND", {"destination": "/topic/a", "transaction": "t"}, "no transaction 't'"),
        ("SUBSCRIBE", {"destination": "/topic/a"}, "SUBSCRIBE without the header 'id'"),
        ("SUBSCRIBE", {"id": "1"}, "SUBSCRIBE without the header 'destination'"),
        ("SUBSCRIBE", {"id": "0", "destination": "/topic/a"}, "subscription id '0' is in use"),
        ("SUBSCRIBE", {"id": "1", "destination": "/a", "ack": "x"}, "SUBSCRIBE with an invalid header 'ack'"),
        ("UNSUBSCRIBE", {}, "UNSUBSCRIBE without the header 'id'"),
        ("ACK", {}, "ACK without the header 'id'"),
        ("ACK", {"id": "1", "transaction": "t"}, "no transaction 't'"),
        ("NACK", {}, "NACK without the header 'id'"),
        ("BEGIN", {}, "BEGIN without the header 'transaction'"),
        ("BEGIN", {"transaction": "open"}, "transaction 'open' is already open"),
        ("COMMIT", {"transaction": "t"}, "no transaction 't'"),
        ("ABORT", {}, "ABORT without the header 'transaction'"),
    ],
)
def test_violations(command: str, headers: dict[str, str], message: str) -> None:
    session = connected()
    one(session, "SUBSCRIBE", {"id": "0", "destination": "/topic/a"})
    one(session, "BEGIN", {"transaction": "open"})
    assert refused(session, command, headers).headers["message"] == message


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"FOO\n\n\0", "unknown command 'FOO'"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "unknown command 'GET / HTTP/1'…"),
        (b"SEND\na:\\x\n\n\0", "undefined escape \\x in header line 1 of SEND ('a'); defined are "),
        (b"SEND\ncontent-length:70000\n\n", "SEND exceeds the limit of 65536 bytes a body"),
    ],
)
def test_malformed_bytes(wire: bytes, text: str) -> None:
    [event] = connected().receive(wire, 1.0)
    assert isinstance(event, Malformed)
    assert read(event.error.answer).headers["message"].startswith(text)
    assert event.error.close_code == CloseCode.PROTOCOL_ERROR


def test_frames_before_a_violation_are_reported() -> None:
    wire = encode("SEND", {"destination": "/topic/a"}) + encode("SEND", {}) + encode("DISCONNECT")
    send, malformed = connected().receive(wire, 1.0)
    assert isinstance(send, Send)
    assert isinstance(malformed, Malformed)


def test_the_words_of_rabbitmq() -> None:
    session = connected(wording=RABBITMQ_WORDING)
    error = refused(session, "SEND", {})
    assert error.headers["message"] == "Missing destination"
    assert error.body == b"\"SEND\" must include a 'destination' header\n"
    assert set(RABBITMQ_WORDING) == set(OWN_WORDING)


def test_braces_in_what_a_client_sends_are_text() -> None:
    error = refused(connected(), "COMMIT", {"transaction": "{command}{0}"})
    assert error.headers["message"] == "no transaction '{command}{0}'"


# ---- answers and heart-beats -----------------------------------------------------------------


def test_receipt_and_error() -> None:
    session = connected()
    assert session.receipt("r:1") == b"RECEIPT\nreceipt-id:r\\c1\n\n\0"
    assert read(session.error("no", b"why", "r1", {"x": "y"})) == Frame(
        "ERROR",
        {"message": "no", "receipt-id": "r1", "content-type": "text/plain", "x": "y", "content-length": "3"},
        b"why",
    )
    assert session.error("no") == b"ERROR\nmessage:no\ncontent-length:0\n\n\0"


def test_no_heartbeats_before_and_without_agreement() -> None:
    assert new().next_deadline() is None
    assert connected().next_deadline() is None
    assert connected().tick(1e9) == b""


def test_heartbeats() -> None:
    session = new(heartbeat=(4000, 10_000))
    session.receive(encode("CONNECT", {**CONNECT, "heart-beat": "2000,5000"}), 100.0)
    session.connected()
    # we send every 5 s, and a little earlier; the client every 10 s, and we wait three times that
    assert session.next_deadline() == 104.0
    assert session.tick(103.9) == b""
    assert session.tick(104.0) == b"\n"
    assert session.next_deadline() == 108.0
    session.sent(110.0)
    assert session.tick(108.0) == b""
    session.receive(b"\n", 112.0)
    session.beats.last_sent = 1000.0
    assert session.next_deadline() == 142.0
    with pytest.raises(
        HeartbeatLost, match=r"no heart-beat for 30\.0 s; one was agreed on every 10 s"
    ) as lost:
        session.tick(142.0)
    assert read(lost.value.answer).headers["message"] == str(lost.value)
    assert session.receive(encode("SEND", {"destination": "/a"}), 143.0) == []


def test_connected_answers_exactly_one_connect() -> None:
    session = new()
    with pytest.raises(LocalProtocolError, match="exactly one CONNECT"):
        session.connected()
    with pytest.raises(LocalProtocolError, match="exactly one CONNECT"):
        session.relayed("1.2", (0, 0))
    session.receive(encode("CONNECT", CONNECT), 0.0)
    session.connected()
    with pytest.raises(LocalProtocolError, match="exactly one CONNECT"):
        session.connected()
    with pytest.raises(LocalProtocolError, match="exactly one CONNECT"):
        session.relayed("1.2", (0, 0))


def test_no_heart_beat_is_due_before_the_agreement() -> None:
    session = new()
    assert session.next_deadline() is None
    assert (session.beats.send_every, session.beats.expect_every) == (0.0, 0.0)
    assert (session.beats.last_sent, session.beats.last_received) == (0.0, 0.0)


def test_it_is_between_frames_when_all_that_came_was_whole() -> None:
    session = new()
    assert session.between_frames
    session.receive(b"C", 0.0)
    assert not session.between_frames
    session.receive(encode("CONNECT", CONNECT)[1:], 0.0)
    assert session.between_frames
    session.connected()
    session.receive(encode("DISCONNECT", {}), 0.0)
    assert not session.between_frames  # nothing that follows is looked at


def test_what_follows_a_disconnect_in_the_same_read_is_ignored() -> None:
    session = connected()
    send = encode("SEND", {"destination": "/topic/a"}, b"x")
    [event] = session.receive(encode("DISCONNECT", {}) + send + send, 1.0)
    assert isinstance(event, Disconnect)
    assert session.receive(send, 1.0) == []
