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


# ---- one turn, seen closely ------------------------------------------------------------------


def test_a_turn_is_asked_for_once_and_the_next_one_again() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    assert bench.outbox.put(session, b"a") == websocket_frame(b"a")
    bench.outbox.put(session, b"b", binary=True)
    bench.outbox.wake()
    assert len(bench.turn) == len(bench.outbox.dirty) == 1
    bench.end_turn()
    assert (session.dirty, session.pending, bench.outbox.dirty) == (False, [], [])
    assert carrier.writes == [websocket_frame(b"a") + websocket_frame(b"b", binary=True)]
    bench.outbox.put(session, b"c")
    assert len(bench.turn) == 1
    bench.end_turn()
    assert carrier.payloads == [b"a", b"b", b"c"]


def test_a_push_to_one_receiver_has_its_stage_and_a_push_to_many_has_not() -> None:
    bench = Bench()
    one, _ = bench.session("a")
    two, _ = bench.session("b")
    topic = bench.hub.join("/topic/a", one, "0")
    assert bench.hub.deliver(topic, message(b"m", push="to one")) == 1
    assert one.pending_ids == ["to one"]
    bench.hub.join("/topic/a", two, "1")
    assert bench.hub.deliver(topic, message(b"m", push="to many")) == 2
    assert bench.hub.deliver(topic, message(b"m")) == 2
    assert (one.pending_ids, two.pending_ids) == (["to one"], [])
    bench.end_turn()
    assert (one.pending_ids, bench.stages.get("to one"), bench.stages.get("to many")) == (
        [],
        Stage.WRITTEN,
        None,
    )


def test_a_message_for_one_subscription_is_that_sessions_alone() -> None:
    bench = Bench()
    one, first = bench.session("a")
    _, second = bench.session("b")
    bench.hub.deliver_one(one, "q", message(b"m", push="p"), ack="a-1")
    bench.hub.deliver_one(one, "q", message(b"m"))
    assert one.pending_ids == ["p"]
    bench.end_turn()
    assert first.payloads[0].startswith(b"MESSAGE\nsubscription:q\nack:a-1\n")
    assert b"ack:" not in first.payloads[1]
    assert second.writes == []


# ---- before the close ------------------------------------------------------------------------


def test_before_its_close_a_session_gets_what_waits() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    bench.outbox.pause(session)
    bench.hub.deliver_one(session, "q", message(b"held", push="p1"))
    bench.end_turn()
    session.full = False
    bench.hub.deliver_one(session, "q", message(b"new", push="p2"))
    session.flushed_at = 0.0
    bench.outbox.flush_one(session)
    assert [payload[-5:-1].strip() for payload in carrier.payloads] == [b"held", b"new"]
    assert len(carrier.writes) == 1
    assert (session.pending, session.pending_ids, session.flushed_at) == ([], [], 5.0)
    assert bench.stages.get("p1") == bench.stages.get("p2") == Stage.WRITTEN


def test_before_its_close_nothing_goes_to_who_does_not_read_or_has_nothing_waiting() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    bench.outbox.flush_one(session)
    bench.outbox.pause(session)
    bench.outbox.put(session, b"x")
    bench.outbox.flush_one(session)
    assert (carrier.writes, session.flushed_at) == ([], 0.0)


# ---- full and not full any more --------------------------------------------------------------


def test_a_session_is_slow_from_the_moment_it_is_full_until_nothing_waits() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    bench.outbox.pause(session)
    assert (session.full, session.paused, session.paused_at) == (True, True, 5.0)
    assert bench.outbox.slow == {session}
    assert bench.outbox.notes is None, "nothing is ever dropped"
    first = session.held
    session.paused_at = 1.0
    bench.outbox.pause(session)
    assert session.held is first and session.paused_at == 1.0, "said twice means once"
    bench.outbox.put(session, b"x")
    bench.end_turn()
    bench.outbox.resume(session)
    assert carrier.payloads == [b"x"]
    assert (session.full, session.paused, session.paused_at, session.flushed_at) == (False, True, 5.0, 5.0)
    assert bench.outbox.slow == {session}, "whether it is full again shows in the next turn"
    bench.end_turn()
    assert (session.paused, session.held, bench.outbox.slow) == (False, None, set())


def test_a_session_that_is_full_again_waits_again() -> None:
    bench = Bench(limit=1_000_000)
    session, carrier = bench.session("s")
    bench.outbox.pause(session)
    for _ in range(3):
        bench.outbox.put(session, b"x" * 50_000)
        bench.end_turn()
    bench.outbox.resume(session)
    assert len(carrier.payloads) == 2, "a piece and a little more"
    bench.outbox.pause(session)
    bench.end_turn()
    assert len(carrier.payloads) == 2
    assert session.held_bytes > 50_000
    bench.outbox.resume(session)
    bench.end_turn()
    assert len(carrier.payloads) == 3


def test_to_resume_who_was_never_full_or_has_gone_is_no_trouble() -> None:
    bench = Bench()
    session, carrier = bench.session("s")
    bench.outbox.resume(session)
    bench.outbox.pause(session)
    session.end()
    bench.outbox.resume(session)
    bench.outbox.forget(session)
    bench.outbox.pause(session)
    assert (bench.outbox.slow, carrier.writes) == (set(), [])


def test_a_carrier_that_fails_while_it_is_drained_is_no_trouble() -> None:
    bench = Bench()
    session, _ = bench.session("s")
    bench.outbox.pause(session)
    bench.hub.deliver_one(session, "q", message(b"m", push="p"))
    bench.end_turn()

    def fail(data: bytes) -> None:
        raise RuntimeError("the handler is closed")

    session.write = fail
    bench.outbox.resume(session)
    bench.end_turn()
    assert not session.paused


# ---- what may be dropped ---------------------------------------------------------------------


def test_what_may_be_dropped_is_noted_while_somebody_is_slow_and_only_then() -> None:
    bench = Bench(policy="drop-oldest")
    (slow, _), (other, _) = bench.session("a"), bench.session("b")
    topic = bench.hub.join("/topic/a", other, "0")
    bench.hub.deliver(topic, message(b"m"))
    assert bench.outbox.notes is None
    bench.outbox.pause(slow)
    bench.outbox.pause(other)
    bench.hub.deliver(topic, message(b"m"))
    bench.hub.deliver_one(slow, "q", message(b"m"))
    bench.hub.deliver_one(slow, "q", message(b"m"), droppable=False)
    assert bench.outbox.notes is not None
    assert len(bench.outbox.notes) == 2
    bench.end_turn()
    assert bench.outbox.notes == {}, "of one turn"
    bench.outbox.forget(other)
    assert bench.outbox.notes is not None
    bench.outbox.forget(slow)
    assert bench.outbox.notes is None


def test_the_user_is_told_of_with_a_push_that_was_dropped_and_ended_here() -> None:
    bench = Bench(limit=150, policy="drop-oldest")
    session, _ = bench.session("a")
    session.user = "joe"
    told: list[tuple[str, str]] = []
    bench.outbox.rule.on_dropped = lambda user, push: told.append((user, push))
    topic = bench.hub.join("/topic/a", session, "0")
    other, _ = bench.session("b")
    bench.outbox.pause(session)
    bench.hub.deliver(topic, message(b"1", push="p1"))
    bench.hub.deliver(topic, message(b"2", push="p2"))
    bench.end_turn()
    assert told == [("joe", "p1")]
    assert session.held_ids == ["p2"]
    bench.hub.join("/topic/a", other, "0")
    bench.hub.deliver(topic, message(b"3", push="to both"))
    bench.hub.deliver(topic, message(b"4", push="to both too"))
    bench.end_turn()
    assert told[1:] == [("joe", "p2")], "what others have got too did not end here"
    assert bench.counters.dropped_oldest == 3
    assert not bench.cut


def test_what_may_not_be_dropped_cuts_the_client_whatever_else_fits() -> None:
    bench = Bench(limit=100, policy="drop-oldest")
    session, _ = bench.session("a")
    bench.outbox.pause(session)
    bench.outbox.put(session, b"R" * 120)
    bench.hub.deliver_one(session, "q", message(b"m"))
    bench.end_turn()
    assert bench.cut == [session]


def test_a_push_that_may_not_be_dropped_keeps_its_place_in_the_count() -> None:
    bench = Bench(policy="drop-oldest")
    session, _ = bench.session("a")
    bench.outbox.pause(session)
    bench.hub.deliver_one(session, "q", message(b"m", push="acked"), droppable=False)
    bench.hub.deliver_one(session, "q", message(b"m", push="dropped"))
    bench.end_turn()
    assert sorted(session.held_ids) == ["acked", "dropped"]
    assert (session.pending, session.pending_ids) == ([], [])


def test_a_session_that_is_full_does_not_keep_the_others_of_the_turn_from_being_served() -> None:
    bench = Bench()
    (slow, held), (other, carrier) = bench.session("a"), bench.session("b")
    bench.outbox.pause(slow)
    bench.outbox.put(slow, b"x")
    bench.outbox.put(other, b"y")
    bench.end_turn()
    assert (held.payloads, carrier.payloads) == ([], [b"y"])
    assert slow.held_bytes > 0
