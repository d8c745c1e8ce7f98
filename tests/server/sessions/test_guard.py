"""What clients may not reach, in every spelling that we could think of."""

from __future__ import annotations

import pytest

from server.brokers.delivery import ParsedDelivery
from server.destinations.spellings import spelling_of
from server.messages.refusal import Refusal
from server.sessions.client_headers import HeaderRule
from server.sessions.guard import Guard, clean
from server.settings.instance import InstanceSettings

from .attacks import HARMLESS, MINE, OTHERS, ids, internal_spellings, session_spellings, wildcards

GUARD = Guard(InstanceSettings(), lambda id: id == "oddone")


@pytest.mark.parametrize("destination", [*internal_spellings(), *session_spellings()])
def test_no_spelling_reaches_what_is_not_for_clients(destination: str) -> None:
    assert GUARD.refuse_send(destination, MINE)
    assert GUARD.refuse_subscribe(destination, MINE)


@pytest.mark.parametrize("destination", wildcards())
def test_no_wildcard_covers_what_belongs_to_the_instances(destination: str) -> None:
    assert GUARD.refuse_subscribe(destination, MINE)
    assert GUARD.refuse_send(destination, MINE)


@pytest.mark.parametrize("destination", HARMLESS)
def test_ordinary_destinations_are_fine(destination: str) -> None:
    assert GUARD.refuse_send(destination, MINE) == ""
    assert GUARD.refuse_subscribe(destination, MINE) == ""


@pytest.mark.parametrize("pattern", ["/topic/news.*", "/topic/news.#", "/topic/*.alerts", "/topic/#.end"])
def test_wildcards_over_ones_own_topics_are_fine_to_hear_and_not_to_say(pattern: str) -> None:
    assert GUARD.refuse_subscribe(pattern, MINE) == ""
    assert "pattern" in GUARD.refuse_send(pattern, MINE)


@pytest.mark.parametrize("id", OTHERS)
def test_ones_own_session_is_ones_own(id: str) -> None:
    assert GUARD.refuse_subscribe(f"/topic/greetings-user{id}", id) == ""
    assert GUARD.refuse_subscribe(f"/topic/greetings-user{id}", MINE)
    # Whoever names himself and another is refused too.
    assert GUARD.refuse_subscribe(f"/topic/a-user{id},/topic/a-user{MINE}", MINE)
    assert GUARD.refuse_subscribe(f"/topic/a-user{id}-user{MINE}", MINE)


def test_ids_of_unusual_shape_are_asked_for() -> None:
    assert GUARD.refuse_subscribe("/queue/inbox-useroddone", MINE)
    assert GUARD.refuse_subscribe("/queue/inbox-useroddone", "oddone") == ""
    assert GUARD.refuse_subscribe("/queue/inbox-useroddtwo", MINE) == ""


@pytest.mark.parametrize(
    "destination",
    [
        "/topic/" + "x" * 249,
        "/topic/" + "é" * 125,
        "/topic/a\nb",
        "/topic/a\x00b",
        "/topic/a\x7fb",
        "/topic/\u202eevil",
        "/topic/" + "%25" * 5 + "2525252525412525",
    ],
)
def test_destinations_have_a_length_and_a_charset(destination: str) -> None:
    assert GUARD.refuse_send(destination, MINE)
    assert GUARD.refuse_subscribe(destination, MINE)
    assert GUARD.refuse_subscribe("/topic/" + "x" * 248, MINE) == ""


@pytest.mark.parametrize(
    ("headers", "hidden"),
    [
        ({"destination": "/topic/news.today"}, False),
        ({"destination": "/topic/news.today", "simpOrigDestination": "/user/topic/a"}, True),
        ({"destination": f"/topic/news.today-user{OTHERS[0]}"}, True),
        ({"destination": "/topic/news.today-useroddone"}, True),
        ({"destination": "/topic/news.new-users"}, False),
        ({"destination": "/topic/simp-user-registry"}, True),
        ({"destination": "/exchange/amq.topic/simp-user-registry"}, True),
        ({"destination": "/topic/pushscope.other.peer.0123456789ab"}, True),
        ({"destination": "/topic/ActiveMQ.Advisory.Connection"}, True),
    ],
)
def test_wildcards_do_not_show_what_is_meant_for_others(headers: dict[str, str], hidden: bool) -> None:
    assert GUARD.hides(ParsedDelivery(headers, b"")) is hidden


def test_other_internal_names_are_guarded_as_well() -> None:
    guard = Guard(
        InstanceSettings(
            unresolved_destination="/topic/unresolved.user%2Fdest",
            registry_destination="/exchange/amq.topic/registry.broadcast",
        )
    )
    for destination in ids(
        "/topic/unresolved.user/dest",
        "/topic/unresolved.user%2fdest",
        "/exchange/amq.topic/unresolved.user/dest",
        "/topic/registry.broadcast",
        "/topic/*.broadcast",
        "/topic/registry.#",
        "/topic/unresolved.>",
    ):
        assert guard.refuse_subscribe(destination, MINE), destination
    assert guard.refuse_subscribe("/topic/simp-user-registry", MINE) == ""


# ---- headers ---------------------------------------------------------------------------------

FORGED = {
    "simpOrigDestination": "/user/topic/forged",
    "SimpOrigDestination": "/user/topic/forged",
    "user-name": "root",
    "ps-id": "run.i1.joe.1",
    "ps-via": "i2",
    "Ps-Anything": "1",
    "subscription": "0",
    "message-id": "1",
    "ack": "1",
    "redelivered": "true",
    "content-length": "1",
    "heart-beat": "1,x",
    "receipt-id": "1",
}
ORDERS = {
    "durable": "true",
    "persistent": "true",
    "auto-delete": "true",
    "Exclusive": "true",
    "x-queue-name": "q",
    "x-queue-type": "quorum",
    "x-queue-mode": "lazy",
    "x-queue-leader-locator": "local",
    "x-message-ttl": "1",
    "x-expires": "1",
    "x-max-length": "1",
    "x-max-length-bytes": "1",
    "x-max-priority": "1",
    "x-max-age": "1D",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "amq.topic",
    "x-dead-letter-routing-key": "simp-user-registry",
    "x-dead-letter-strategy": "at-least-once",
    "x-single-active-consumer": "true",
    "x-stream-offset": "first",
    "x-delivery-limit": "1",
    "x-quorum-initial-group-size": "1",
    "x-priority": "9",
    "prefetch-count": "1",
    "CC": "simp-user-registry",
    "BCC": "simp-user-registry",
    "user-id": "root",
    "selector": "1 = 1",
    "transformation": "jms-object-xml",
    "amq-msg-type": "text",
    "AMQ_SCHEDULED_DELAY": "60000",
    "_AMQ_SCHED_DELIVERY": "1",
    "activemq.subscriptionName": "x",
    "JMSXGroupID": "g",
    "destination-type": "ANYCAST",
}


def test_no_forged_header_and_no_order_passes() -> None:
    mine = {"mine": "1", "x-mine": "2", "x-request-id": "3", "content-type": "text/plain", "priority": "4"}
    assert clean({"destination": "/topic/a", "receipt": "r", **FORGED, **ORDERS, **mine}) == mine
    assert HeaderRule().of_subscribe({**FORGED, **ORDERS, **mine}) == {}


def test_what_is_allowed_passes_and_nothing_of_ours_does() -> None:
    rule = HeaderRule(["X-Message-TTL", "x-max-*", "ps-id", "simpOrigDestination", "mine"])
    allowed = {
        name: ORDERS[name] for name in ("x-message-ttl", "x-max-length", "x-max-length-bytes")
    } | {"x-max-priority": "1", "x-max-age": "1D"}  # fmt: skip
    assert rule.of_send({**FORGED, **ORDERS}) == allowed
    assert rule.of_subscribe({**FORGED, **ORDERS, "mine": "1"}) == allowed


@pytest.mark.parametrize(
    "headers",
    [
        {"x" * 256: "1"},
        {"é" * 128: "1"},
        {"content-type": "x" * 256},
        {"correlation-id": "é" * 128},
        {"priority": "high"},
        {"expiration": "-1"},
        {"timestamp": ""},
        {"timestamp": "9" * 14},
    ],
)
def test_what_a_broker_cannot_carry_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        clean(headers)


def test_a_temporary_queue_to_answer_to_is_left_out() -> None:
    assert clean({"reply-to": "/temp-queue/x"}) == {}
    assert clean({"reply-to": "/queue/x"}) == {"reply-to": "/queue/x"}


def test_verdicts_and_headers_are_remembered_within_bounds() -> None:
    guard = Guard(InstanceSettings())
    for number in range(10_000):
        guard.refuse_send(f"/topic/t{number}", MINE)
        guard.headers.of_send({f"h{number}": ""})
    assert spelling_of("/topic/t1").names >= {"t1", "topic/t1", "/topic/t1"}
    assert guard.refuse_send("/topic/t1", MINE) == ""


def test_every_id_behind_a_user_suffix_is_looked_at() -> None:
    asked: list[str] = []

    def ask(id: str) -> bool:
        asked.append(id)
        return False

    assert Guard(InstanceSettings(), ask).refuse_subscribe("/topic/a-userone-usertwo", MINE) == ""
    assert set(asked) == {"one-usertwo", "two"}


def test_a_push_to_all_may_go_to_a_queue_of_any_name_and_not_to_a_pattern_over_ours() -> None:
    guard = Guard(InstanceSettings())
    assert guard.refuse_push("/queue/#", to_user=False) == ""
    assert guard.refuse_push("/topic/news.#", to_user=False) == ""
    assert guard.refuse_push("/topic/#", to_user=False)
    assert guard.refuse_push("/topic/simp-user-registry", to_user=False)
    assert guard.refuse_push("/topic/simp-user-registry", to_user=True) == ""
    assert guard.refuse_push("/topic/pushscope.x.peers", to_user=True)
