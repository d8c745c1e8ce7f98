"""Destinations, by the tables of docs/wire/spring-relay.md §3, §4, and cases 20 to 25."""

from __future__ import annotations

import pytest

from core.protocol import (
    Prefixes,
    application_path,
    encode_user,
    is_broker_destination,
    is_pattern,
    is_user_destination,
    send_form,
    split_user_destination,
    subscribe_form,
    subscribe_target,
    topic_matches,
    user_target,
)

NO_SLASH = Prefixes(broker=("jms.queue.", "jms.topic."))


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        ("/user/queue/foo", "/queue/foo-user123"),  # case 20
        ("/user/topic/a.b", "/topic/a.b-user123"),
        ("/user/exchange/amq.direct/pos", "/exchange/amq.direct/pos-user123"),
        ("/queue/foo", "/queue/foo"),  # case 25: no translation
        ("/userx/queue/foo", "/userx/queue/foo"),
    ],
)
def test_where_a_subscription_goes(destination: str, target: str) -> None:
    assert subscribe_target(destination, "123") == target


def test_case_25_prefixes_without_a_leading_slash() -> None:
    assert subscribe_target("/user/jms.queue.call", "123", NO_SLASH) == "jms.queue.call-user123"
    assert split_user_destination("/user/joe/jms.queue.call", NO_SLASH) == ("joe", "jms.queue.call")
    assert subscribe_form("jms.queue.call", NO_SLASH) == "/user/jms.queue.call"
    assert send_form("joe", "jms.queue.call", NO_SLASH) == "/user/joe/jms.queue.call"


@pytest.mark.parametrize(
    ("destination", "parts"),
    [
        ("/user/joe/queue/foo", ("joe", "/queue/foo")),  # case 22
        ("/user/queue/foo", ("queue", "/foo")),  # a client used the subscribe form
        ("/user/a%2Fb/queue/foo", ("a/b", "/queue/foo")),
        ("/user/joe", None),
        ("/user/joe/", None),
        ("/user//queue/foo", None),
        ("/user/", None),
        ("/topic/foo", None),
    ],
)
def test_send_forms(destination: str, parts: tuple[str, str] | None) -> None:
    assert split_user_destination(destination) == parts


def test_case_24_names_that_are_urls() -> None:
    name = "https://joe.openid.example.org/"
    assert encode_user(name) == "https:%2F%2Fjoe.openid.example.org%2F"
    assert split_user_destination(send_form(name, "/queue/foo")) == (name, "/queue/foo")


def test_forms() -> None:
    assert subscribe_form("/queue/foo") == "/user/queue/foo"
    assert send_form("joe", "/queue/foo") == send_form("joe", "queue/foo") == "/user/joe/queue/foo"
    assert user_target("/queue/foo", "1") == "/queue/foo-user1"


def test_prefixes() -> None:
    assert is_user_destination("/user/queue/foo")
    assert not is_user_destination("/users/queue/foo")
    assert Prefixes(user="/member").user == "/member/"
    assert is_user_destination("/member/queue/foo", Prefixes(user="/member"))
    assert is_broker_destination("/topic/a")
    assert is_broker_destination("/topicx")  # a plain startswith, as with Spring
    assert not is_broker_destination("/app/a")


@pytest.mark.parametrize(
    ("destination", "path"),
    [("/app/hello", "/hello"), ("/app/a/b", "/a/b"), ("/app", None), ("/application/hello", None)],
)
def test_application_paths(destination: str, path: str | None) -> None:
    assert application_path(destination) == path
    assert application_path(destination, Prefixes(application="/app/")) == path


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("/topic/w.#", "/topic/w", True),
        ("/topic/w.#", "/topic/w.a.b", True),
        ("/topic/w.*", "/topic/w.a", True),
        ("/topic/w.*", "/topic/w", False),
        ("/topic/w.*", "/topic/w.a.b", False),
        ("/topic/#", "/topic/anything.at.all", True),
        ("/topic/*", "/topic/one", True),
        ("/topic/#.end", "/topic/a.b.end", True),
        ("/topic/#.end", "/topic/end", True),
        ("/topic/a.#.z", "/topic/a.z", True),
        ("/topic/#.#", "/topic/a", True),
        ("/topic/greetings-user*", "/topic/greetings-user123abc", False),  # a wildcard is a whole word
        ("/topic/greetings-user*", "/topic/greetings-user*", True),
        ("/topic/#", "/queue/a", False),
        ("/topic/a/b", "/topic/a/b", True),
        ("a.*", "a.b", True),
        ("#", "", True),
    ],
)
def test_topic_patterns(pattern: str, name: str, matches: bool) -> None:
    assert topic_matches(pattern, name) is matches


def test_a_hostile_pattern_is_cheap() -> None:
    """Many ``#`` words would take exponential time with naive backtracking."""
    assert not topic_matches(".".join(["#", "a"] * 60 + ["b"]), ".".join(["a"] * 500))


def test_patterns() -> None:
    assert is_pattern("/topic/a.*")
    assert is_pattern("/topic/#")
    assert not is_pattern("/topic/a*")
    assert not is_pattern("/topic/a")
