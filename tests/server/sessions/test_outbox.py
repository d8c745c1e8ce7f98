"""Joining writes and bounding queues: conformance case 40 without a network."""

from __future__ import annotations

from collections.abc import Callable

from core.protocol import ServerSession
from server.messages.counters import Counters
from server.messages.framing import OutgoingMessage, split_websocket_frames, websocket_frame
from server.messages.stages import Stage, StageLog
from server.sessions.held import SlowRule
from server.sessions.hub import Hub
from server.sessions.outbox import Outbox
from server.sessions.session import Session
from server.settings.instance import SlowPolicy

from ...support.carriers import RecordingCarrier


class Bench:
    """A hub and an outbox whose turns are ended by hand."""

    def __init__(self, limit: int = 1024, policy: SlowPolicy = "terminate") -> None:
        self.turn: list[Callable[[], None]] = []
        self.stages = StageLog()
        self.cut: list[Session] = []
        self.counters = Counters()
        self.dropped: list[str] = []
        rule = SlowRule(policy, limit, self.counters, self.stages)
        rule.on_dropped = lambda _, push: self.dropped.append(push)
        self.outbox = Outbox(self.turn.append, lambda: 5.0, self.stages, rule)
        self.outbox.on_overflow = self._overflow
        self.hub = Hub(self.outbox)

    def session(self, id: str) -> tuple[Session, RecordingCarrier]:
        carrier = RecordingCarrier()
        session = Session(id, carrier, ServerSession(session_id=id, server_name="t/1"), now=0.0)
        self.hub.add(session)
        return session, carrier

    def end_turn(self) -> None:
        calls = self.turn[:]
        self.turn.clear()
        for call in calls:
            call()

    def _overflow(self, session: Session) -> None:
        self.cut.append(session)
        session.end()


def message(body: bytes, push: str | None = None) -> OutgoingMessage:
    headers = {"destination": "/topic/a", "message-id": "1", **({"ps-id": push} if push else {})}
    return OutgoingMessage(headers, body)


def test_one_turn_is_one_write_per_session() -> None:
    bench = Bench()
    sessions = [bench.session(f"s{number}") for number in range(3)]
    topics = [bench.hub.join("/topic/a", session, "0") for session, _ in sessions]
    for number in range(10):
        assert bench.hub.deliver(topics[0], message(str(number).encode())) == 3
    assert all(not carrier.writes for _, carrier in sessions)
    assert len(bench.turn) == 1
    bench.end_turn()
    for session, carrier in sessions:
        assert len(carrier.writes) == 1
        assert len(carrier.payloads) == 10
        assert session.flushed_at == 5.0
    bench.end_turn()
    assert all(len(carrier.writes) == 1 for _, carrier in sessions)


def test_equal_subscription_ids_share_their_bytes_and_others_do_not() -> None:
    bench = Bench()
    (one, first), (two, second), (three, third) = (bench.session(name) for name in "abc")
    topic = bench.hub.join("/topic/a", one, "x")
    bench.hub.join("/topic/a", two, "x")
    bench.hub.join("/topic/a", three, "y:z")
    bench.hub.deliver(topic, message(b"m"))
    assert one.pending[0] is two.pending[0]
    bench.end_turn()
    assert first.payloads == second.payloads
    assert b"subscription:x\n" in first.payloads[0]
    assert b"subscription:y\\cz\n" in third.payloads[0]


def test_a_session_may_subscribe_twice_and_leave_once() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    topic = bench.hub.join("/topic/a", session, "1")
    bench.hub.join("/topic/a", session, "2")
    assert topic.size == 2
    assert not bench.hub.leave("/topic/a", session, "1")
    bench.hub.deliver(topic, message(b"m"))
    bench.end_turn()
    assert len(carrier.payloads) == 1
    assert bench.hub.leave("/topic/a", session, "2")
    assert not bench.hub.leave("/topic/a", session, "2")
    assert not bench.hub.topics


def test_case_40_exactly_the_limit_is_fine_and_one_more_byte_is_not() -> None:
    bench = Bench(limit=1024)
    session, carrier = bench.session("s")
    bench.outbox.pause(session)
    bench.outbox.put(session, b"x" * (1023 - 4))  # the WebSocket's header has four bytes
    bench.end_turn()
    assert session.held_bytes == 1023
    session.pending.append(b"x")
    bench.outbox.dirty.append(session)
    bench.outbox.flush()
    assert session.held_bytes == 1024
    assert not bench.cut
    session.pending.append(b"x")
    bench.outbox.dirty.append(session)
    bench.outbox.flush()
    assert bench.cut == [session]
    assert not carrier.writes


def test_what_was_held_goes_out_in_order_when_the_client_reads_again() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    topic = bench.hub.join("/topic/a", session, "0")
    bench.hub.deliver(topic, message(b"0"))
    bench.end_turn()
    bench.outbox.pause(session)
    for number in (b"1", b"2"):
        bench.hub.deliver(topic, message(number, push=f"p{number.decode()}"))
        bench.end_turn()
    assert len(carrier.payloads) == 1
    assert bench.stages.get("p1") is None
    bench.outbox.resume(session)
    bench.hub.deliver(topic, message(b"3"))
    bench.end_turn()
    bench.end_turn()
    assert [payload[-2:-1] for payload in carrier.payloads] == [b"0", b"1", b"2", b"3"]
    assert bench.stages.get("p1") == bench.stages.get("p2") == Stage.WRITTEN
    assert session.held_bytes == 0


def test_written_is_noted_when_it_is_true() -> None:
    bench = Bench()
    session, _ = bench.session("s")
    topic = bench.hub.join("/topic/a", session, "0")
    bench.hub.deliver(topic, message(b"m", push="p"))
    assert bench.stages.get("p") is None
    bench.end_turn()
    assert bench.stages.get("p") == Stage.WRITTEN


def test_a_session_that_ended_in_the_same_turn_is_no_trouble() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    bench.outbox.put(session, b"x")
    session.end()
    bench.end_turn()
    bench.outbox.put(session, b"y")
    bench.end_turn()
    assert not carrier.writes


def test_a_carrier_that_fails_does_not_keep_the_others_from_being_served() -> None:
    bench = Bench()

    def fail(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    broken, _ = bench.session("a")
    broken.write = fail
    healthy, carrier = bench.session("b")
    for session in (broken, healthy):
        bench.outbox.put(session, b"x")
    bench.end_turn()
    assert carrier.payloads == [b"x"]


def test_the_stage_log_forgets_the_oldest_and_keeps_the_newest() -> None:
    stages = StageLog(capacity=100)
    for number in range(1000):
        stages.set(f"p{number}", Stage.TO_BROKER)
    assert 100 <= len(stages) <= 200
    assert stages.get("p999") == "to-broker"
    assert stages.get("p901") == "to-broker"
    assert stages.get("p0") is None
    assert stages.select(["p999", "p0"]) == {"p999": "to-broker"}


def test_frames_of_all_sizes_are_split_as_they_were_joined() -> None:

    payloads = [
        (b"", False),
        (b"a" * 125, True),
        (b"b" * 126, False),
        (b"c" * 65535, True),
        (b"d" * 65536, False),
    ]
    joined = b"".join(websocket_frame(payload, binary) for payload, binary in payloads)
    assert list(split_websocket_frames(joined)) == payloads
