"""Which ACK and NACK means which message of the broker, and what is kept here: without a network."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from core.protocol import Ack, Nack, Subscribe
from core.protocol.frames import Frame
from server.messages.refusal import Refusal
from server.messages.stages import Stage
from server.sessions import acknowledgements
from server.sessions.acknowledgements import Acknowledgements
from server.sessions.session import Session
from server.sessions.transactions import Transactions

from ...support.session_bench import SessionBench, message


class Bench(SessionBench):
    """One client that acknowledges, and a broker that notes it."""

    def __init__(self, version: str = "1.2") -> None:
        super().__init__()
        self.acks = Acknowledgements(self.broker, self.hub, self.guard, self.counters, self.stages)
        self.client = self.session("c1", "joe", version)

    def consume(
        self,
        destination: str = "/queue/work",
        *,
        id: str = "q",
        ack: str = "client-individual",
        headers: Mapping[str, str] | None = None,
    ) -> int:
        event = Subscribe(Frame("SUBSCRIBE", dict(headers or {})), id, destination, ack)
        return self.acks.consume(self.client, event, destination, lambda error: None)

    def delivers(self, *tokens: str, at: str = "/queue/work") -> list[str]:
        """The broker gives messages; the ids that the client acknowledges them with."""
        before = len(self.written("c1"))
        for token in tokens:
            self.broker.at(at).message(token.encode(), {"message-id": f"m-{token}"}, token)
        return [ack_of(payload) for payload in self.written("c1")[before:]]

    def local(self, body: bytes, message_id: str = "l-1", subscription: str = "q") -> bool:
        return self.acks.local(self.client, subscription, message(body), message_id)

    def ack(self, id: str, transaction: str | None = None, **headers: str) -> None:
        self.acks.settle(self.client, Ack(Frame("ACK", headers), id, transaction))

    def nack(self, id: str, transaction: str | None = None, **headers: str) -> None:
        self.acks.settle(self.client, Nack(Frame("NACK", headers), id, transaction))

    @property
    def kept(self) -> int:
        """Bytes that are kept here to be delivered again."""
        assert self.client.unsettled is not None
        return self.client.unsettled.local_bytes


def ack_of(payload: bytes) -> str:
    """The header ``ack`` of a MESSAGE, else its ``message-id``."""
    head = dict(line.split(":", 1) for line in payload.decode().split("\n\n")[0].split("\n")[1:])
    return head.get("ack", head["message-id"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- consuming -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "prefetch"), [("0", 1000), ("7", 7), ("1000", 1000), ("1001", 1000), ("99999", 1000)]
)
def test_the_prefetch_is_the_clients_within_bounds(bench: Bench, asked: str, prefetch: int) -> None:
    handle = bench.consume(headers={"prefetch-count": asked, "x-foreign": "1"})
    consume = bench.broker.subscriptions[handle].consume
    assert (consume.ack, consume.prefetch, dict(consume.headers)) == ("client-individual", prefetch, {})


@pytest.mark.parametrize("asked", ["", "-1", "1.5", "x", "100000", "\u0663"])
def test_a_prefetch_that_is_no_number_is_refused(bench: Bench, asked: str) -> None:
    with pytest.raises(Refusal) as refused:
        bench.consume(headers={"prefetch-count": asked})
    assert refused.value.detail == f"'prefetch-count' has the value '{asked}' on 'SUBSCRIBE'."
    assert bench.broker.subscriptions == {}


def test_a_users_own_queue_is_no_longer_reached_past_the_broker(bench: Bench) -> None:
    bench.consume("/queue/work")
    bench.consume("/queue/x-userother", id="2")
    assert bench.client.direct
    bench.consume("/queue/x-userc1", id="3")
    assert not bench.client.direct


def test_what_is_delivered_is_counted_and_has_an_id_of_its_own(bench: Bench) -> None:
    bench.consume()
    assert bench.delivers("t1", "t2") == ["c1@1", "c1@2"]
    assert (bench.counters.from_broker, bench.counters.delivered) == (2, 2)
    assert len(bench.stages) == 0
    bench.broker.at("/queue/work").message(b"x", {"ps-id": "p1"}, "t3")
    assert bench.stages.get("p1") == Stage.QUEUED
    assert bench.kept == 0, "the broker has them"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_before_1_2_messages_are_known_by_the_brokers_id(version: str) -> None:
    bench = Bench(version)
    bench.consume()
    assert bench.delivers("t1", "t2") == ["m-t1", "m-t2"]
    bench.ack("m-t2")
    assert bench.broker.settled == [("ACK", 1, "t2", False)]
    bench.broker.at("/queue/work").message(b"x", {"message-id": ""}, "t3")
    bench.ack("t3")
    assert bench.broker.settled[1:] == [("ACK", 1, "t3", False)], "without one by its token"


def test_what_a_wildcard_must_not_show_is_settled_for_the_client(bench: Bench) -> None:
    handle = bench.consume("/exchange/amq.topic/#")
    at = bench.broker.at("/exchange/amq.topic/#")
    at.message(b"secret", {"destination": "/topic/x", "simpOrigDestination": "/user/topic/x"}, "t1")
    at.message(b"public", {"destination": "/topic/x"}, "t2")
    assert bench.broker.settled == [("ACK", handle, "t1", False)]
    assert len(bench.written("c1")) == 1
    assert (bench.counters.from_broker, bench.counters.delivered) == (2, 1)


def test_nothing_is_held_for_a_client_that_has_gone(bench: Bench) -> None:
    bench.consume()
    bench.client.end()
    bench.broker.at("/queue/work").message(b"x", None, "t1")
    assert bench.client.unsettled is not None
    assert bench.client.unsettled.held == {}


# ---- settling --------------------------------------------------------------------------------


def test_an_individual_acknowledgement_settles_its_message_only(bench: Bench) -> None:
    handle = bench.consume()
    ids = bench.delivers("t1", "t2", "t3")
    bench.ack(ids[1])
    bench.nack(ids[2])
    bench.nack(ids[0], requeue="false")
    assert bench.broker.settled == [
        ("ACK", handle, "t2", False),
        ("NACK", handle, "t3", True),
        ("NACK", handle, "t1", False),
    ]
    for id in ids:
        with pytest.raises(Refusal, match="Subscription not found"):
            bench.ack(id)


def test_a_cumulative_one_settles_all_of_its_subscription_up_to_it(bench: Bench) -> None:
    handle = bench.consume(ack="client")
    bench.consume("/queue/other", id="o", ack="client")
    bench.delivers("o1", at="/queue/other")
    ids = bench.delivers("t1", "t2", "t3", "t4")
    bench.ack(ids[1])
    assert bench.broker.settled == [("ACK", handle, "t1", False), ("ACK", handle, "t2", False)]
    bench.nack(ids[3])
    assert bench.broker.settled[2:] == [("NACK", handle, "t3", True), ("NACK", handle, "t4", True)]


def test_an_unknown_id_is_refused_and_names_it(bench: Bench) -> None:
    with pytest.raises(Refusal) as refused:
        bench.ack("nope")
    assert refused.value.detail == 'Message with id "nope" has no subscription'
    bench.consume()
    with pytest.raises(Refusal):
        bench.nack("nope")


def test_what_a_client_held_of_a_subscription_is_forgotten_with_it(bench: Bench) -> None:
    bench.consume()
    (id,) = bench.delivers("t1")
    bench.acks.left(bench.client, "q")
    with pytest.raises(Refusal):
        bench.ack(id)
    assert not bench.local(b"x"), "nobody settles it any more"
    bench.acks.left(bench.session("c2"), "q")


# ---- topics ----------------------------------------------------------------------------------


def test_acknowledgements_of_topics_mean_nothing() -> None:
    bench = Bench()
    assert bench.acks.topic(bench.client, "s0"), "its frames have an ack"
    bench.ack("topic@s0")
    bench.nack("topic@s0")
    assert bench.broker.settled == []
    for id in ("topic@s1", "s0", "other@s0"):
        with pytest.raises(Refusal):
            bench.ack(id)
    bench.acks.left(bench.client, "s0")
    with pytest.raises(Refusal):
        bench.ack("topic@s0")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_before_1_2_any_id_may_be_a_topics(version: str) -> None:
    bench = Bench(version)
    assert not bench.acks.topic(bench.client, "s0")
    bench.ack("m-7")
    bench.ack("m-7", subscription="s0")
    with pytest.raises(Refusal):
        bench.ack("m-7", subscription="q")
    bench.acks.left(bench.client, "s0")
    with pytest.raises(Refusal):
        bench.ack("m-7")


# ---- messages that did not come from the broker ----------------------------------------------


def test_a_local_message_that_is_refused_comes_again_and_says_so(bench: Bench) -> None:
    bench.consume()
    assert bench.local(b"hello")
    (first,) = bench.written("c1")
    assert bench.kept > 0
    bench.nack(ack_of(first))
    second = bench.written("c1")[1]
    assert b"redelivered:true\n" in second and b"redelivered" not in first
    assert ack_of(second) == "c1@2"
    bench.nack(ack_of(second))
    third = bench.written("c1")[2]
    assert third.count(b"redelivered:true\n") == 1
    bench.ack(ack_of(third))
    assert (len(bench.written("c1")), bench.kept, bench.broker.settled) == (3, 0, [])


def test_a_local_message_may_be_dropped(bench: Bench) -> None:
    bench.consume()
    bench.local(b"hello")
    bench.nack(ack_of(bench.written("c1")[0]), requeue="false")
    assert (len(bench.written("c1")), bench.kept) == (1, 0)


def test_so_many_bytes_are_kept_to_come_again_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(message(b"12345").tail)
    monkeypatch.setattr(acknowledgements, "_MOST_LOCAL_BYTES", 2 * size)
    bench.consume()
    for _ in range(3):
        bench.local(b"12345")
    ids = [ack_of(payload) for payload in bench.written("c1")]
    assert bench.kept == 2 * size
    bench.nack(ids[2])
    assert len(bench.written("c1")) == 3, "it was too much: it is not kept, and gone"
    bench.nack(ids[0])
    assert len(bench.written("c1")) == 4


def test_a_subscription_that_does_not_settle_is_not_meant(bench: Bench) -> None:
    assert not bench.local(b"x")
    bench.consume()
    assert not bench.local(b"x", subscription="other")
    assert bench.written("c1") == []


def test_of_very_many_the_oldest_are_forgotten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "_MOST_KNOWN", 3)
    bench.consume()
    ids = bench.delivers("t1", "t2", "t3")
    bench.ack(ids[2])
    ids += bench.delivers("t4", "t5")
    with pytest.raises(Refusal):
        bench.ack(ids[0])
    for id in (ids[1], *ids[3:]):
        bench.ack(id)
    assert [token for _, _, token, _ in bench.broker.settled] == ["t3", "t2", "t4", "t5"]


def test_what_is_to_be_settled_is_never_dropped() -> None:
    bench = Bench()
    bench.outbox.notes = {}
    bench.consume()
    bench.broker.at("/queue/work").message(b"x", None, "t1")
    assert bench.outbox.notes == {}


# ---- transactions ----------------------------------------------------------------------------


def in_transaction(session: Session) -> Transactions:
    session.transactions = Transactions()
    session.transactions.begin("tx")
    return session.transactions


def test_in_a_transaction_it_waits_for_the_commit(bench: Bench) -> None:
    handle = bench.consume()
    first, second = bench.delivers("t1", "t2")
    held = in_transaction(bench.client)
    bench.ack(first, "tx")
    bench.ack(second)
    assert bench.broker.settled == [("ACK", handle, "t2", False)]
    for event in held.end("tx"):
        assert isinstance(event, Ack)
        bench.acks.settle_now(bench.client, event)
    assert bench.broker.settled[1:] == [("ACK", handle, "t1", False)]


def test_a_transaction_that_is_none_and_a_message_that_is_none_are_refused_at_once(bench: Bench) -> None:
    bench.consume()
    (id,) = bench.delivers("t1")
    held = in_transaction(bench.client)
    with pytest.raises(Refusal, match="Bad transaction"):
        bench.ack(id, "other")
    with pytest.raises(Refusal, match="Subscription not found"):
        bench.ack("nope", "tx")
    assert held.end("tx") == []


def test_where_the_broker_holds_transactions_back_it_gets_them_at_once(bench: Bench) -> None:
    bench.consume()
    (id,) = bench.delivers("t1")
    bench.ack(id, "tx")
    assert len(bench.broker.settled) == 1
