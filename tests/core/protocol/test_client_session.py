"""The client's side of a connection, mostly against the server's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.errors import HeartbeatLost, LocalProtocolError
from core.protocol import (
    HEARTBEAT_RECEIVED,
    Ack,
    ClientEvent,
    ClientSession,
    Connected,
    ErrorReceived,
    Frame,
    Malformed,
    Message,
    Nack,
    ReceiptReceived,
    Send,
    ServerSession,
    StompParser,
    Subscribe,
    encode,
)

CONNECTED = {"version": "1.2", "session": "s1", "server": "x/1", "heart-beat": "5000,0"}


def connected(version: str = "1.2") -> ClientSession:
    session = ClientSession()
    session.connect("push", versions=(version,))
    session.receive(encode("CONNECTED", {**CONNECTED, "version": version}), 0.0)
    return session


def read(wire: bytes) -> Frame:
    [frame] = StompParser().feed(wire)
    assert isinstance(frame, Frame)
    return frame


def one(session: ClientSession, command: str, headers: dict[str, str], body: bytes = b"") -> ClientEvent:
    [event] = session.receive(encode(command, headers, body), 1.0)
    return event


def test_connecting() -> None:
    session = ClientSession()
    frame = read(session.connect("push", "joe", "secret", {"token": "t"}, (1000, 2000)))
    assert frame == Frame(
        "CONNECT",
        {
            "accept-version": "1.2,1.1,1.0",
            "host": "push",
            "login": "joe",
            "passcode": "secret",
            "heart-beat": "1000,2000",
            "token": "t",
        },
    )
    event = one(session, "CONNECTED", {**CONNECTED, "user-name": "joe", "instance": "i1"})
    assert isinstance(event, Connected)
    assert (event.version, event.session, event.server, event.user_name) == ("1.2", "s1", "x/1", "joe")
    assert (event.heartbeat, event.headers["instance"]) == ((5000, 0), "i1")
    with pytest.raises(LocalProtocolError, match="once"):
        session.connect("push")


def test_without_host_and_login() -> None:
    assert set(read(ClientSession().connect(None)).headers) == {"accept-version", "heart-beat"}


def test_a_1_0_server_names_no_version() -> None:
    session = ClientSession()
    session.connect("push")
    event = one(session, "CONNECTED", {"session": "1"})
    assert isinstance(event, Connected)
    assert event.version == "1.0"


def test_commands() -> None:
    session = connected()
    assert read(session.subscribe("0", "/topic/a", headers={"x": "y"}, receipt="r0")) == Frame(
        "SUBSCRIBE", {"id": "0", "destination": "/topic/a", "ack": "auto", "x": "y", "receipt": "r0"}
    )
    assert session.subscriptions == {"0": "/topic/a"}
    assert read(session.send("/app/hello", b"ssss", {"a": "b"}, "r1", "t")).headers == {
        "destination": "/app/hello",
        "a": "b",
        "transaction": "t",
        "receipt": "r1",
        "content-length": "4",
    }
    assert session.receipts == {"r0", "r1"}
    assert one(session, "RECEIPT", {"receipt-id": "r0"}) == ReceiptReceived(
        Frame("RECEIPT", {"receipt-id": "r0"}), "r0"
    )
    assert session.receipts == {"r1"}
    assert session.begin("t") == b"BEGIN\ntransaction:t\n\n\0"
    assert session.commit("t", "r") == b"COMMIT\ntransaction:t\nreceipt:r\n\n\0"
    assert session.abort("t") == b"ABORT\ntransaction:t\n\n\0"
    assert session.unsubscribe("0") == b"UNSUBSCRIBE\nid:0\n\n\0"
    assert session.subscriptions == {}
    assert session.disconnect("bye") == b"DISCONNECT\nreceipt:bye\n\n\0"
    # the receipt still comes, but nothing may be sent
    assert isinstance(one(session, "RECEIPT", {"receipt-id": "bye"}), ReceiptReceived)
    with pytest.raises(LocalProtocolError, match="after DISCONNECT"):
        session.send("/topic/a")


def test_messages() -> None:
    session = connected()
    event = one(session, "MESSAGE", {"subscription": "0", "destination": "/topic/a"}, b"x")
    assert isinstance(event, Message)
    assert (event.subscription, event.destination, event.body) == ("0", "/topic/a", b"x")
    nameless = one(session, "MESSAGE", {"destination": "/topic/a"})
    assert isinstance(nameless, Message)
    assert nameless.subscription == ""
    assert session.receive(b"\n", 2.0) == [HEARTBEAT_RECEIVED]


def test_errors() -> None:
    session = connected()
    event = one(session, "ERROR", {"message": "no", "receipt-id": "r"}, b"why")
    assert isinstance(event, ErrorReceived)
    assert (event.message, event.body, event.receipt_id) == ("no", b"why", "r")
    refused = ClientSession()
    refused.connect("x")
    assert isinstance(one(refused, "ERROR", {"message": "Bad CONNECT"}), ErrorReceived)


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.2", {"id": "a1"}),
        ("1.1", {"message-id": "m1", "subscription": "0"}),
        ("1.0", {"message-id": "m1", "subscription": "0"}),
    ],
)
def test_acknowledging_as_the_version_wants(version: str, headers: dict[str, str]) -> None:
    session = connected(version)
    event = one(
        session,
        "MESSAGE",
        {"subscription": "0", "destination": "/queue/a", "message-id": "m1", "ack": "a1"},
    )
    assert isinstance(event, Message)
    assert read(session.ack(event, receipt="r")).headers == {**headers, "receipt": "r"}
    if version == "1.0":
        with pytest.raises(LocalProtocolError, match="no NACK"):
            session.nack(event)
    else:
        nack = read(session.nack(event, transaction="t", headers={"requeue": "false"}))
        assert nack.headers == {**headers, "requeue": "false", "transaction": "t"}


@pytest.mark.parametrize(("version", "missing"), [("1.2", "'ack'"), ("1.1", "'message-id'")])
def test_messages_that_cannot_be_acknowledged(version: str, missing: str) -> None:
    session = connected(version)
    event = one(session, "MESSAGE", {"subscription": "0", "destination": "/queue/a"})
    assert isinstance(event, Message)
    with pytest.raises(LocalProtocolError, match=missing):
        session.ack(event)


CALLS: dict[str, Callable[[ClientSession], bytes]] = {
    "send": lambda session: session.send("/topic/a"),
    "subscribe": lambda session: session.subscribe("0", "/topic/a"),
    "unsubscribe": lambda session: session.unsubscribe("0"),
    "begin": lambda session: session.begin("t"),
    "disconnect": lambda session: session.disconnect(),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_can_be_sent_before_connected(call: str) -> None:
    session = ClientSession()
    session.connect("x")
    with pytest.raises(LocalProtocolError, match="CONNECTED has not been received"):
        CALLS[call](session)


def test_wrong_calls_change_nothing() -> None:
    session = connected()
    session.subscribe("0", "/topic/a")
    with pytest.raises(LocalProtocolError, match="in use"):
        session.subscribe("0", "/topic/b")
    with pytest.raises(LocalProtocolError, match="NUL"):
        session.subscribe("1", "/topic/\0", receipt="r")
    with pytest.raises(LocalProtocolError, match="no subscription '2'"):
        session.unsubscribe("2")
    assert session.subscriptions == {"0": "/topic/a"}
    assert session.receipts == set()


@pytest.mark.parametrize(
    ("command", "headers", "text"),
    [
        ("CONNECTED", CONNECTED, "answers no CONNECT"),
        ("SEND", {"destination": "/a"}, "SEND is sent by clients only"),
        ("MESSAGE", {"subscription": "0"}, "MESSAGE without the header 'destination'"),
        ("RECEIPT", {}, "RECEIPT without the header 'receipt-id'"),
    ],
)
def test_violations_of_a_server(command: str, headers: dict[str, str], text: str) -> None:
    session = connected()
    event = one(session, command, headers)
    assert isinstance(event, Malformed)
    assert text in str(event.error)
    assert session.receive(encode("MESSAGE", {"destination": "/a"}), 2.0) == []


@pytest.mark.parametrize(
    ("command", "headers", "text"),
    [
        ("MESSAGE", {"destination": "/a"}, "MESSAGE before CONNECTED"),
        ("RECEIPT", {"receipt-id": "1"}, "RECEIPT before CONNECTED"),
        ("CONNECTED", {"heart-beat": "x,y"}, "invalid heart-beat"),
        ("CONNECTED", {"version": "3.0"}, "unknown version '3.0'"),
    ],
)
def test_violations_while_connecting(command: str, headers: dict[str, str], text: str) -> None:
    session = ClientSession()
    session.connect("x")
    event = one(session, command, headers)
    assert isinstance(event, Malformed)
    assert text in str(event.error)


def test_heartbeats() -> None:
    session = ClientSession(tolerance=2)
    session.connect("x", heartbeat=(1000, 2000))
    assert session.next_deadline() is None
    session.receive(encode("CONNECTED", {**CONNECTED, "heart-beat": "4000,500"}), 50.0)
    assert session.next_deadline() == 50.8
    assert session.tick(50.8) == b"\n"
    session.sent(57.5)
    with pytest.raises(HeartbeatLost, match="one was agreed on every 4 s"):
        session.tick(58.0)


def test_both_sides_together() -> None:
    """The two sessions talk through nothing but bytes, a few at a time."""
    server = ServerSession(session_id="s1", server_name="x")
    client = ClientSession()

    def to_server(wire: bytes) -> list[object]:
        return [event for i in range(len(wire)) for event in server.receive(wire[i : i + 1], 0.0)]

    to_server(client.connect("push", "joe"))
    client.receive(server.connected({"user-name": "a:b\\c"}), 0.0)
    [subscribe] = to_server(client.subscribe("sub:0", "/topic/ä", "client-individual", receipt="r"))
    assert isinstance(subscribe, Subscribe)
    [receipt] = client.receive(server.receipt("r"), 0.0)
    assert isinstance(receipt, ReceiptReceived)
    [send] = to_server(client.send("/topic/ä", b"\0\n\0", {"k:\n": "v\\"}))
    assert isinstance(send, Send)
    headers = {"subscription": "sub:0", "ack": "1:1", **send.frame.headers}
    [message] = client.receive(encode("MESSAGE", headers, send.frame.body), 0.0)
    assert isinstance(message, Message)
    assert (message.body, message.frame.headers["k:\n"]) == (b"\0\n\0", "v\\")
    [ack] = to_server(client.ack(message))
    assert isinstance(ack, Ack)
    assert ack.id == "1:1"
    [nack] = to_server(client.nack(message))
    assert isinstance(nack, Nack)


def test_it_is_between_frames_when_all_that_came_was_whole() -> None:
    session = connected()
    assert session.between_frames
    session.receive(b"M", 1.0)
    assert not session.between_frames
    session.receive(b"ESSAGE\nsubscription:1\nmessage-id:1\ndestination:/topic/a\n\nx\0", 1.0)
    assert session.between_frames
