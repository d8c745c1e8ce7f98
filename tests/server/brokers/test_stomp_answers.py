"""Which answer of a broker belongs to what, and which subscription made it close the connection."""

from __future__ import annotations

import pytest

from core.errors import BrokerRefused, BrokerUnavailable
from core.protocol import ErrorReceived, Frame
from server.brokers.base import AUTO
from server.brokers.refusals import is_about, names_of, refusal_of, subject_of
from server.brokers.stomp_answers import Answers, Ended
from server.brokers.stomp_link import StompLink
from server.brokers.stomp_subscriptions import Subscription, Subscriptions
from tests.support.processes import until


class Asked:
    """Answers with everything that came out of them."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.fences: list[str] = []
        self.published: list[str] = []
        self.answers = Answers(
            self.confirmed.append, lambda id, error: self.refused.append((id, str(error))), self.fences.append
        )

    def publish(self, destination: str) -> str:
        def done(error: BrokerUnavailable | None) -> None:
            self.published.append(f"{destination}: {error or 'confirmed'}")

        return self.answers.publish(destination, done)


def error(message: str, detail: str = "", **headers: str) -> ErrorReceived:
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    frame = Frame("ERROR", {"message": message, **head}, detail.encode())
    return ErrorReceived(frame, message, detail.encode())


def test_receipts_confirm() -> None:
    asked = Asked()
    assert not asked.answers.waiting
    receipt, sent = asked.answers.subscribe("1", "/topic/a"), asked.publish("/topic/b")
    assert asked.answers.waiting
    asked.answers.receipt(receipt)
    asked.answers.receipt(sent)
    asked.answers.receipt("nobody's")
    assert (asked.confirmed, asked.published) == (["1"], ["/topic/b: confirmed"])
    assert not asked.answers.waiting


def test_an_error_belongs_to_the_receipt_that_it_names() -> None:
    asked = Asked()
    asked.answers.subscribe("1", "/topic/a")
    asked.answers.subscribe("2", "/topic/a")
    sent = asked.publish("/topic/a")
    asked.answers.error(error("no", "'/topic/a'", receipt_id="s2"))
    asked.answers.error(error("no", "'/topic/a'", receipt_id=sent))
    assert asked.refused == [("2", "no: '/topic/a'")]
    assert asked.published == ["/topic/a: no: '/topic/a'"]


def test_an_error_belongs_to_what_its_words_name_the_oldest_first() -> None:
    asked = Asked()
    for id, destination in (("1", "/topic/x"), ("2", "/queue/q"), ("3", "/queue/q")):
        asked.answers.subscribe(id, destination)
    detail = "inequivalent arg 'x' for queue 'q' in vhost '/'"
    asked.answers.error(error("precondition_failed", detail))
    assert [id for id, _ in asked.refused] == ["2"]
    asked.answers.receipt("s2")  # RabbitMQ confirms it all the same
    assert asked.confirmed == []


def test_what_is_open_when_the_fence_is_confirmed_was_refused() -> None:
    asked = Asked()
    for id in ("1", "2", "3"):
        asked.answers.subscribe(id, f"/topic/{id}")
    asked.answers.receipt("s1")
    asked.answers.error(error("Processing error", "Processing error"))
    asked.answers.receipt("s3")
    assert asked.confirmed == ["1"], "not before it is known that the connection lives"
    asked.answers.subscribe("4", "/topic/4")
    asked.answers.receipt(asked.fences[0])
    assert asked.refused == [("2", "Processing error: Processing error")]
    assert asked.confirmed == ["1", "3"]
    asked.answers.receipt("s4")
    assert asked.confirmed == ["1", "3", "4"]


def test_what_the_end_of_a_connection_leaves_open_is_told_with_the_error_before_it() -> None:
    asked = Asked()
    asked.answers.subscribe("1", "/topic/1")
    asked.answers.subscribe("2", "/topic/2")
    asked.publish("/topic/a")
    asked.answers.error(error("access_refused", "ACCESS_REFUSED - no"))
    asked.answers.receipt("s1")
    ended = asked.answers.end(BrokerUnavailable("gone"))
    assert ended.subscribing == ["1", "2"]
    assert str(ended.error) == "access_refused: ACCESS_REFUSED - no"
    assert asked.published == ["/topic/a: gone"]
    assert (asked.confirmed, asked.refused) == ([], [])


async def test_a_send_that_an_error_may_be_about_does_not_wait_for_ever() -> None:
    asked = Asked()
    lost, late = asked.publish("/topic/a"), asked.publish("/topic/b")
    asked.answers.error(error("Processing error"))
    asked.answers.receipt(asked.fences[0])
    asked.answers.receipt(late)
    assert asked.published == ["/topic/b: confirmed"]
    await until(lambda: len(asked.published) == 2, "it is given up")
    assert asked.published[1] == "/topic/a: Processing error"
    asked.answers.receipt(lost)
    assert len(asked.published) == 2


@pytest.mark.parametrize(
    ("destination", "detail"),
    [
        ("/topic/a/b", "'/a/b' is not a valid topic destination"),
        ("/foo/x", "'/foo/x' is not a valid destination.\nValid destination types are: …"),
        ("/exchange/nope/key", "NOT_FOUND - no exchange 'nope' in vhost '/'"),
        ("/amq/queue/gone", "NOT_FOUND - no queue 'gone' in vhost 'shop'"),
        ("/queue/amq.foo", "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'"),
        (
            "/topic/a%2Fb",
            "ACCESS_REFUSED - access to topic 'a/b' in exchange 'amq.topic' in vhost '/' refused",
        ),
    ],
)
def test_the_words_of_rabbitmq_name_a_destination(destination: str, detail: str) -> None:
    assert is_about(detail, destination)
    assert not is_about(detail, "/topic/other")


def test_a_virtual_host_or_a_user_of_the_same_name_is_not_meant() -> None:
    detail = "NOT_FOUND - no exchange 'nope' in vhost 'test'"
    assert not is_about(detail, "/queue/test")
    assert not is_about("access to queue 'q' in vhost '/' refused for user 'guest'", "/topic/guest")
    assert subject_of(detail) == "nope"
    assert subject_of("inequivalent arg 'durable' for queue 'q1' in vhost '/': received 'true'") == "q1"
    assert subject_of("user_id property set to 'abc' but authenticated user was 'guest'") == ""
    assert "nope" in names_of("/exchange/nope/key")


@pytest.mark.parametrize("server", ["RabbitMQ/3.10.8", "Pushscope/0.1"])
def test_brokers_with_rabbitmqs_rules_are_not_asked_for_what_they_refuse(server: str) -> None:
    refused = refusal_of(server, "/topic/a/b", "SUBSCRIBE")
    assert refused is not None
    assert (refused.title, str(refused)) == ("Invalid destination", "'/a/b' is not a valid topic destination")
    assert refusal_of(server, "/topic/a.b.#", "SUBSCRIBE") is None
    assert refusal_of(server, "/exchange/mine/key", "SEND") is None


def test_other_brokers_have_rules_of_their_own() -> None:
    assert refusal_of("ActiveMQ/5.17.2", "/topic/a/b", "SUBSCRIBE") is None
    assert refusal_of("", "/foo", "SEND") is None


# ---- whom a connection ended over ------------------------------------------------------------------


def connection(subscriptions: Subscriptions) -> tuple[StompLink, Answers]:
    """A new connection, on which the subscriptions have been asked for."""
    link = StompLink(lambda id, delivery: None, lambda events: None, lambda why: None)
    link.session.connect("/")
    link.session.receive(b"CONNECTED\nversion:1.2\n\n\0", 0.0)
    answers = Answers(subscriptions.confirmed, subscriptions.refused, lambda receipt: None)
    subscriptions.connected(link, answers, "")
    return link, answers


async def test_a_subscription_that_ends_every_connection_is_found_and_not_asked_for_again() -> None:
    outcomes: dict[str, BrokerUnavailable | None] = {}
    subscriptions = Subscriptions()
    for number in range(20):
        id = str(number)

        def ready(error: BrokerUnavailable | None, id: str = id) -> None:
            outcomes[id] = error

        subscriptions.add(id, Subscription(f"/topic/{id}", lambda delivery: None, ready, AUTO))
    connections = 0
    while len(outcomes) < 20:
        connections += 1
        assert connections < 20, outcomes
        link, answers = connection(subscriptions)
        done: set[str] = set()
        while (asked := [id for id in link.session.subscriptions if id not in done]) and "7" not in asked:
            for id in asked:
                done.add(id)
                answers.receipt(f"s{id}")
        subscriptions.lost(answers.end(BrokerUnavailable("gone")), "the broker closed the connection")
    refused = {id: error for id, error in outcomes.items() if error is not None}
    assert list(refused) == ["7"]
    assert isinstance(refused["7"], BrokerRefused)
    assert len(subscriptions) == 19


async def test_an_error_before_the_end_needs_no_second_proof() -> None:
    outcomes: list[BrokerUnavailable | None] = []
    subscriptions = Subscriptions()
    subscriptions.add("1", Subscription("/topic/1", lambda delivery: None, outcomes.append, AUTO))
    error = BrokerRefused("access_refused: no", title="access_refused")
    for _ in range(2):
        connection(subscriptions)
        assert outcomes == []
        subscriptions.lost(Ended(["1"], error), "closed")
    assert outcomes == [error]
    assert len(subscriptions) == 0
