"""The client's side of one STOMP connection.

Used by StompClient, by simulated users and by an instance's link to a broker. It does no input or
output: bytes and the time come in, events go out, and each command returns the bytes to send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import LocalProtocolError, RemoteProtocolError
from .commands import VERSIONS
from .encoder import HEARTBEAT_BYTES, encode
from .events import (
    HEARTBEAT_RECEIVED,
    ClientEvent,
    Connected,
    ErrorReceived,
    Malformed,
    Message,
    ReceiptReceived,
)  # fmt: skip
from .frames import Frame
from .heartbeats import Heartbeats, parse_heartbeat
from .limits import CLIENT_LIMITS, Limits
from .parser import StompParser

_NO_HEADERS: Final[Mapping[str, str]] = {}


class ClientSession:
    """One connection, seen from the client.

    Send what :meth:`connect` returns, wait for :class:`Connected`, then use the other commands.
    A command that makes no sense now raises LocalProtocolError and changes nothing.

    Args:
        limits: What the server may make us hold.
        tolerance: After how many silent heart-beat intervals the server counts as lost.
        forgiving: Whether the session goes on after an ERROR: RabbitMQ keeps the connection after most.

    Attributes:
        version: Negotiated version, None until CONNECTED has come.
        subscriptions: Destination of each subscription id.
        receipts: Ids of receipts that were asked for and have not come.
        beats: Agreed heart-beats; ``beats.last_sent`` is to be set, or :meth:`sent` called, whenever
            something is written.
    """

    __slots__ = (
        "_connecting", "_dead", "_forgiving", "_heartbeat", "_over", "_parser", "_tolerance", "beats",
        "receipts", "subscriptions", "version",
    )  # fmt: skip

    def __init__(
        self, *, limits: Limits = CLIENT_LIMITS, tolerance: float = 3.0, forgiving: bool = False
    ) -> None:
        self._forgiving = forgiving
        self.version: str | None = None
        self.subscriptions: dict[str, str] = {}
        self.receipts: set[str] = set()
        self.beats = Heartbeats((0, 0), (0, 0), now=0.0, tolerance=tolerance)
        self._parser = StompParser(limits)
        self._heartbeat = (0, 0)
        self._tolerance = tolerance
        self._connecting = False
        self._over = False
        self._dead = False

    # ---- commands ----------------------------------------------------------------------------

    def connect(
        self,
        host: str | None,
        login: str | None = None,
        passcode: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        versions: tuple[str, ...] = VERSIONS,
    ) -> bytes:
        """The CONNECT frame.

        Args:
            host: Virtual host; None leaves the header out, as Spring's relay does.
            login: Name to log in with.
            passcode: Secret that belongs to it; it appears nowhere but in the bytes.
            headers: Further headers; they win over ours.
            heartbeat: (can send, want) in milliseconds.
            versions: Versions to offer.
        """
        if self._connecting:
            raise LocalProtocolError("CONNECT can be sent once in a connection")
        all_headers = {"accept-version": ",".join(versions)}
        for name, value in (("host", host), ("login", login), ("passcode", passcode)):
            if value is not None:
                all_headers[name] = value
        all_headers["heart-beat"] = f"{heartbeat[0]},{heartbeat[1]}"
        frame = encode("CONNECT", {**all_headers, **headers})
        self._heartbeat = heartbeat
        self._connecting = True
        return frame

    def subscribe(
        self,
        id: str,
        destination: str,
        ack: str = "auto",
        headers: Mapping[str, str] = _NO_HEADERS,
        receipt: str | None = None,
    ) -> bytes:
        """A SUBSCRIBE frame; ``id`` must be unused in this connection."""
        self._check_open()
        if id in self.subscriptions:
            raise LocalProtocolError(f"subscription id {id!r} is in use")
        frame = self._encode(
            "SUBSCRIBE", {"id": id, "destination": destination, "ack": ack, **headers}, receipt=receipt
        )
        self.subscriptions[id] = destination
        return frame

    def unsubscribe(
        self, id: str, headers: Mapping[str, str] = _NO_HEADERS, receipt: str | None = None
    ) -> bytes:
        """An UNSUBSCRIBE frame; messages that are under way may still come."""
        self._check_open()
        if id not in self.subscriptions:
            raise LocalProtocolError(f"there is no subscription {id!r}")
        frame = self._encode("UNSUBSCRIBE", {"id": id, **headers}, receipt=receipt)
        del self.subscriptions[id]
        return frame

    def send(
        self,
        destination: str,
        body: bytes = b"",
        headers: Mapping[str, str] = _NO_HEADERS,
        receipt: str | None = None,
        transaction: str | None = None,
    ) -> bytes:
        """A SEND frame."""
        self._check_open()
        all_headers = {"destination": destination, **headers}
        return self._encode("SEND", all_headers, body, receipt=receipt, transaction=transaction)

    def ack(self, message: Message, transaction: str | None = None, receipt: str | None = None) -> bytes:
        """An ACK of a message, with the headers that the negotiated version wants."""
        self._check_open()
        return self._encode("ACK", self._acknowledged(message), receipt=receipt, transaction=transaction)

    def nack(
        self,
        message: Message,
        transaction: str | None = None,
        receipt: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> bytes:
        """A NACK of a message; STOMP 1.0 has none."""
        self._check_open()
        if self.version == "1.0":
            raise LocalProtocolError("STOMP 1.0 has no NACK")
        all_headers = {**self._acknowledged(message), **headers}
        return self._encode("NACK", all_headers, receipt=receipt, transaction=transaction)

    def begin(self, transaction: str, receipt: str | None = None) -> bytes:
        """A BEGIN frame."""
        self._check_open()
        return self._encode("BEGIN", {}, receipt=receipt, transaction=transaction)

    def commit(self, transaction: str, receipt: str | None = None) -> bytes:
        """A COMMIT frame."""
        self._check_open()
        return self._encode("COMMIT", {}, receipt=receipt, transaction=transaction)

    def abort(self, transaction: str, receipt: str | None = None) -> bytes:
        """An ABORT frame."""
        self._check_open()
        return self._encode("ABORT", {}, receipt=receipt, transaction=transaction)

    def disconnect(self, receipt: str | None = None) -> bytes:
        """A DISCONNECT frame; nothing may be sent after it, wait for the receipt and close."""
        self._check_open()
        frame = self._encode("DISCONNECT", {}, receipt=receipt)
        self._over = True
        return frame

    # ---- what the server sends ---------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[ClientEvent]:
        """Take bytes of the server; returns what they mean.

        A violation is the last event, :class:`Malformed`; there is nothing to answer, only to close.
        """
        self.beats.last_received = now
        events: list[ClientEvent] = []
        for item in self._parser.feed(data):
            if self._dead:
                break
            match item:
                case Frame():
                    event = self._event(item, now)
                    events.append(event)
                    self._dead = isinstance(event, Malformed)
                case Malformed():
                    events.append(item)
                case _:
                    events.append(HEARTBEAT_RECEIVED)
        return events

    @property
    def between_frames(self) -> bool:
        """Whether all that came so far was whole: nothing of a frame waits for its rest."""
        return self._parser.buffered == 0

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`, unless more is written or received before; None for never."""
        return self.beats.next_deadline()

    def tick(self, now: float) -> bytes:
        """What is to be sent now to keep the connection: a heart-beat or nothing.

        Raises:
            HeartbeatLost: The server has been silent for too long.
        """
        return HEARTBEAT_BYTES if self.beats.due(now) else b""

    def sent(self, now: float) -> None:
        """Something was written to the server, so that no heart-beat is needed for a while."""
        self.beats.last_sent = now

    # ---- inside ------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.version is None:
            raise LocalProtocolError("not connected: CONNECTED has not been received")
        if self._over:
            raise LocalProtocolError("nothing may be sent after DISCONNECT")

    def _encode(
        self,
        command: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        receipt: str | None = None,
        transaction: str | None = None,
    ) -> bytes:
        if receipt is None and transaction is None:
            return encode(command, headers, body)
        all_headers = dict(headers)
        if transaction is not None:
            all_headers["transaction"] = transaction
        if receipt is not None:
            all_headers["receipt"] = receipt
        frame = encode(command, all_headers, body)
        if receipt is not None:
            self.receipts.add(receipt)
        return frame

    def _acknowledged(self, message: Message) -> dict[str, str]:
        headers = message.frame.headers
        if self.version == "1.2":
            if "ack" not in headers:
                raise LocalProtocolError(
                    "the message has no 'ack' header: its subscription acknowledges alone"
                )
            return {"id": headers["ack"]}
        if "message-id" not in headers:
            raise LocalProtocolError("the message has no 'message-id' header, so it cannot be acknowledged")
        acknowledged = {"message-id": headers["message-id"]}
        if message.subscription:
            acknowledged["subscription"] = message.subscription
        return acknowledged

    def _event(self, frame: Frame, now: float) -> ClientEvent:
        headers = frame.headers
        match frame.command:
            case "ERROR":
                self._over = self._over or not self._forgiving
                return ErrorReceived(frame, headers.get("message", ""), frame.body)
            case "CONNECTED":
                return self._connected(frame, now)
            case "MESSAGE" if self.version is not None:
                if "destination" not in headers:
                    return _malformed("MESSAGE without the header 'destination'")
                return Message(frame, headers.get("subscription", ""), headers["destination"])
            case "RECEIPT" if self.version is not None:
                if "receipt-id" not in headers:
                    return _malformed("RECEIPT without the header 'receipt-id'")
                self.receipts.discard(headers["receipt-id"])
                return ReceiptReceived(frame, headers["receipt-id"])
            case "MESSAGE" | "RECEIPT":
                return _malformed(f"{frame.command} before CONNECTED")
            case command:
                return _malformed(f"{command} is sent by clients only, but the server sent it")

    def _connected(self, frame: Frame, now: float) -> Connected | Malformed:
        headers = frame.headers
        if self.version is not None or not self._connecting:
            return _malformed("CONNECTED that answers no CONNECT")
        version = headers.get("version", "1.0")  # STOMP 1.0 servers do not send it
        try:
            theirs = parse_heartbeat(headers.get("heart-beat"))
        except ValueError as error:
            return _malformed(f"CONNECTED with an invalid heart-beat: {error}")
        if version not in VERSIONS:
            return _malformed(f"CONNECTED with the unknown version {version!r}")
        self.version = version
        self._parser.lenient = version == "1.0"
        self.beats = Heartbeats(self._heartbeat, theirs, now=now, tolerance=self._tolerance)
        return Connected(
            frame, version, headers.get("session"), headers.get("server"), headers.get("user-name"), theirs
        )


def _malformed(message: str) -> Malformed:
    return Malformed(RemoteProtocolError(message))
