"""The server's side of one STOMP connection: who is connected, what it may do, what it did wrong.

Used by instances for WebSocket clients and by the embedded broker for TCP peers. It does no input
or output: bytes and the time come in, events and bytes go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from ..errors import CloseCode, HeartbeatLost, LocalProtocolError, RemoteProtocolError
from .commands import CONNECT_COMMANDS, VERSIONS
from .encoder import HEARTBEAT_BYTES, encode
from .events import (
    HEARTBEAT_RECEIVED,
    Abort,
    Ack,
    Begin,
    Commit,
    Connect,
    Disconnect,
    Malformed,
    Nack,
    Send,
    ServerEvent,
    Subscribe,
    Unsubscribe,
)  # fmt: skip
from .frames import Frame
from .heartbeats import Heartbeats, parse_heartbeat
from .limits import CLIENT_LIMITS, Limits
from .parser import StompParser
from .violations import OWN_WORDING, Violated, Violation, Wording

ACK_MODES: Final = frozenset({"auto", "client", "client-individual"})
#: Even a forgiving session ends with these, as RabbitMQ's do.
_FATAL: Final = frozenset(
    {Violation.MALFORMED, Violation.ALREADY_CONNECTED, Violation.DUPLICATE_SUBSCRIPTION}
)
_TEXT_PLAIN: Final = {"content-type": "text/plain"}


class ServerSession:
    """One connection, seen from the server.

    The caller answers :class:`Connect` with :meth:`connected` (or :meth:`error`), sends what the
    other methods return, and calls :meth:`tick` at :meth:`next_deadline`. A violation comes as the
    last event, :class:`Malformed`, with the ERROR frame in ``error.answer``; send it and close.

    Args:
        session_id: Written to CONNECTED.
        server_name: Written to CONNECTED, as ``name/version``.
        heartbeat: (can send, want) in milliseconds; 0 for not at all.
        limits: What the client may make us hold.
        versions: What we speak, best first.
        wording: Words of ERROR frames for violations.
        tolerance: After how many silent heart-beat intervals the client counts as lost; Spring and
            RabbitMQ take three.
        forgiving: Whether the session goes on after a frame that was whole but wrong, as RabbitMQ
            does: :class:`Malformed` is then not ``fatal``. It also takes SUBSCRIBE without an id.

    Attributes:
        version: Negotiated version, None until CONNECT has come.
        connected_done: Whether :meth:`connected` has been called.
        subscriptions: Destination of each subscription id, as the client named it.
        transactions: Ids of open transactions.
        beats: Agreed heart-beats; ``beats.last_sent`` is to be set, or :meth:`sent` called, whenever
            something is written.
    """

    __slots__ = (
        "_forgiving", "_heartbeat", "_now", "_over", "_parser", "_server_name", "_theirs", "_tolerance",
        "_versions", "_wording", "beats", "connected_done", "session_id", "subscriptions",
        "transactions", "version",
    )  # fmt: skip

    def __init__(
        self,
        *,
        session_id: str,
        server_name: str,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        limits: Limits = CLIENT_LIMITS,
        versions: tuple[str, ...] = VERSIONS,
        wording: Wording = OWN_WORDING,
        tolerance: float = 3.0,
        forgiving: bool = False,
    ) -> None:
        self.session_id = session_id
        self.version: str | None = None
        self.connected_done = False
        self.subscriptions: dict[str, str] = {}
        self.transactions: set[str] = set()
        self.beats = Heartbeats((0, 0), (0, 0), now=0.0, tolerance=tolerance)
        self._server_name = server_name
        self._heartbeat = heartbeat
        self._theirs = (0, 0)
        self._tolerance = tolerance
        self._versions = versions
        self._wording = wording
        self._forgiving = forgiving
        self._parser = StompParser(limits, any_command=forgiving)
        self._now = 0.0
        self._over = False

    def receive(self, data: bytes, now: float) -> list[ServerEvent]:
        """Take bytes of the client; returns what they mean.

        After DISCONNECT or a violation whatever follows is ignored.
        """
        self._now = self.beats.last_received = now
        events: list[ServerEvent] = []
        for item in self._parser.feed(data):
            if self._over:
                break
            match item:
                case Frame():
                    events.append(self._event(item))
                case Malformed():
                    violated = Violated(Violation.MALFORMED, "", value=str(item.error))
                    events.append(self._malformed(violated, None))
                case _:
                    events.append(HEARTBEAT_RECEIVED)
        return events

    @property
    def between_frames(self) -> bool:
        """Whether all that came so far was whole: nothing of a frame waits for its rest."""
        return self._parser.buffered == 0 and not self._over

    # ---- bytes for the client ----------------------------------------------------------------

    def connected(
        self, extra: Mapping[str, str] | None = None, heartbeat: tuple[int, int] | None = None
    ) -> bytes:
        """The CONNECTED frame; heart-beats count from now on.

        Args:
            extra: Further headers, such as ``user-name`` and ``instance``.
            heartbeat: (can send, want) for this client, in milliseconds, instead of everybody's.

        Raises:
            LocalProtocolError: No CONNECT has come, it was answered before, or a header of ``extra``
                cannot be written: CONNECTED knows no escapes, so values may not have line ends.
        """
        if self.version is None or self.connected_done:
            raise LocalProtocolError("CONNECTED answers exactly one CONNECT")
        sends, wants = ours = heartbeat or self._heartbeat
        headers = {
            "version": self.version,
            "session": self.session_id,
            "server": self._server_name,
            "heart-beat": f"{sends},{wants}",
            **(extra or {}),
        }
        frame = encode("CONNECTED", headers)
        self.connected_done = True
        self.beats = Heartbeats(ours, self._theirs, now=self._now, tolerance=self._tolerance)
        return frame

    def connect_again(self) -> None:
        """The CONNECT was refused and the connection stays: another may come (forgiving sessions)."""
        self.version = None

    def relayed(self, version: str, heartbeat: tuple[int, int]) -> None:
        """CONNECTED is somebody else's and is passed on; heart-beats count from now on.

        Args:
            version: What that server chose.
            heartbeat: That server's (can send, wants) in milliseconds.

        Raises:
            LocalProtocolError: No CONNECT has come, or it was answered before.
        """
        if self.version is None or self.connected_done:
            raise LocalProtocolError("CONNECTED answers exactly one CONNECT")
        self.version = version
        self.connected_done = True
        self.beats = Heartbeats(heartbeat, self._theirs, now=self._now, tolerance=self._tolerance)

    def receipt(self, receipt_id: str) -> bytes:
        """A RECEIPT frame."""
        return encode("RECEIPT", {"receipt-id": receipt_id})

    def error(
        self,
        message: str,
        body: bytes = b"",
        receipt_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """An ERROR frame; the connection is to be closed after it (STOMP 1.2, "ERROR")."""
        all_headers = {"message": message}
        if receipt_id is not None:
            all_headers["receipt-id"] = receipt_id
        if body:
            all_headers |= _TEXT_PLAIN
        return encode("ERROR", {**all_headers, **(headers or {})}, body)

    # ---- heart-beats -------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`, unless more is written or received before; None for never."""
        return self.beats.next_deadline()

    def tick(self, now: float) -> bytes:
        """What is to be sent now to keep the connection: a heart-beat or nothing.

        Raises:
            HeartbeatLost: The client has been silent for too long; its ``answer`` is an ERROR frame.
        """
        try:
            return HEARTBEAT_BYTES if self.beats.due(now) else b""
        except HeartbeatLost as lost:
            self._over = True
            lost.answer = self.error(str(lost))
            raise

    def sent(self, now: float) -> None:
        """Something was written to the client, so that no heart-beat is needed for a while."""
        self.beats.last_sent = now

    # ---- frames of the client ----------------------------------------------------------------

    def _event(self, frame: Frame) -> ServerEvent:
        try:
            read = self._readers.get(frame.command)
            if read is None:
                raise Violated(Violation.SERVER_COMMAND, frame.command)
            if self.version is None and frame.command not in CONNECT_COMMANDS:
                raise Violated(Violation.NOT_CONNECTED, frame.command)
            return read(self, frame)
        except Violated as violated:
            return self._malformed(violated, frame)

    def _malformed(self, violated: Violated, frame: Frame | None) -> Malformed:
        fatal = not self._forgiving or violated.violation in _FATAL
        self._over = fatal
        message, detail = violated.words(self._wording)
        headers = {}
        if self._forgiving or violated.violation is Violation.NO_COMMON_VERSION:
            headers = {"version": ",".join(reversed(self._versions))}
        receipt = frame.headers.get("receipt") if frame is not None else None
        answer = self.error(message, detail.encode("utf-8", "replace"), receipt, headers)
        error = RemoteProtocolError(message, answer=answer, close_code=CloseCode.PROTOCOL_ERROR)
        return Malformed(error, fatal)

    def _connect(self, frame: Frame) -> Connect:
        headers = frame.headers
        if self.version is not None:
            raise Violated(Violation.ALREADY_CONNECTED, frame.command)
        accepted = headers.get("accept-version", "1.0")  # 1.0 clients do not send it
        offered = accepted.split(",")
        version = next((version for version in self._versions if version in offered), None)
        if version is None:
            raise Violated(Violation.NO_COMMON_VERSION, frame.command, value=accepted)
        try:
            self._theirs = parse_heartbeat(headers.get("heart-beat"))
        except ValueError as error:
            raise Violated(
                Violation.BAD_HEADER, frame.command, header="heart-beat", value=str(error)
            ) from None
        self.version = version
        self._parser.lenient = version == "1.0"
        return Connect(
            frame, headers.get("login"), headers.get("passcode"), headers.get("host"), version, self._theirs
        )

    def _send(self, frame: Frame) -> Send:
        destination = frame.headers.get("destination")
        if not destination:
            raise Violated(Violation.MISSING_HEADER, "SEND", header="destination")
        if "transaction" in frame.headers:
            self._open_transaction(frame)
        return Send(frame, destination)

    def _subscribe(self, frame: Frame) -> Subscribe:
        destination = _required(frame, "destination")
        subscription = self._subscription_id(frame)
        ack = frame.headers.get("ack", "auto")
        if ack not in ACK_MODES:
            raise Violated(Violation.BAD_HEADER, frame.command, header="ack", value=ack)
        if subscription in self.subscriptions:
            raise Violated(Violation.DUPLICATE_SUBSCRIPTION, frame.command, value=subscription)
        self.subscriptions[subscription] = destination
        return Subscribe(frame, subscription, destination, ack)

    def _unsubscribe(self, frame: Frame) -> Unsubscribe:
        subscription = self._subscription_id(frame)
        return Unsubscribe(frame, subscription, self.subscriptions.pop(subscription, None))

    def _subscription_id(self, frame: Frame) -> str:
        subscription = frame.headers.get("id")
        if not subscription and (self._forgiving or self.version == "1.0"):
            subscription = frame.headers.get("destination")  # STOMP 1.0: the destination names it
        return subscription or _required(frame, "id", Violation.NO_SUBSCRIPTION_ID)

    def _ack(self, frame: Frame) -> Ack:
        return Ack(frame, self._acknowledged(frame), self._open_transaction(frame))

    def _nack(self, frame: Frame) -> Nack:
        return Nack(frame, self._acknowledged(frame), self._open_transaction(frame))

    def _acknowledged(self, frame: Frame) -> str:
        ours, other = ("id", "message-id") if self.version == "1.2" else ("message-id", "id")
        # either is understood: some clients keep the name of another version
        return (
            frame.headers.get(ours) or frame.headers.get(other) or _required(frame, ours, Violation.NO_ACK_ID)
        )

    def _open_transaction(self, frame: Frame) -> str | None:
        transaction = frame.headers.get("transaction")
        if transaction is not None and transaction not in self.transactions:
            raise Violated(Violation.NO_TRANSACTION, frame.command, value=transaction)
        return transaction

    def _begin(self, frame: Frame) -> Begin:
        transaction = _required(frame, "transaction")
        if transaction in self.transactions:
            raise Violated(Violation.TRANSACTION_OPEN, frame.command, value=transaction)
        self.transactions.add(transaction)
        return Begin(frame, transaction)

    def _commit(self, frame: Frame) -> Commit:
        return Commit(frame, self._end_transaction(frame))

    def _abort(self, frame: Frame) -> Abort:
        return Abort(frame, self._end_transaction(frame))

    def _end_transaction(self, frame: Frame) -> str:
        transaction = _required(frame, "transaction")
        self._open_transaction(frame)
        self.transactions.discard(transaction)
        return transaction

    def _disconnect(self, frame: Frame) -> Disconnect:
        self._over = True
        return Disconnect(frame)

    #: one look-up for every frame, instead of a chain of comparisons
    _readers: ClassVar[dict[str, Callable[[ServerSession, Frame], ServerEvent]]] = {
        "SEND": _send,
        "SUBSCRIBE": _subscribe,
        "UNSUBSCRIBE": _unsubscribe,
        "ACK": _ack,
        "NACK": _nack,
        "BEGIN": _begin,
        "COMMIT": _commit,
        "ABORT": _abort,
        "CONNECT": _connect,
        "STOMP": _connect,
        "DISCONNECT": _disconnect,
    }


def _required(frame: Frame, name: str, violation: Violation = Violation.MISSING_HEADER) -> str:
    value = frame.headers.get(name)
    if not value:
        raise Violated(violation, frame.command, header=name)
    return value
