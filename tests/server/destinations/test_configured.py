"""Prefixes and broadcasts that cannot work are refused at the start, by the name of their option."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.protocol import Prefixes
from server.destinations.configured import check_broadcasts, check_prefixes
from server.settings.instance import InstanceSettings


@pytest.mark.parametrize(
    "prefixes",
    [
        Prefixes(),
        Prefixes("/app/", ("/topic", "/queue", "/exchange"), "/user"),
        Prefixes("/app", ("jms.queue.",), "/user/"),
        Prefixes("/app", ("/", ""), "/user/"),
        Prefixes("/a", ("/application",), "/users/"),
        Prefixes("/app", ("/apple",), "/user/"),
    ],
)
def test_prefixes_that_can_be_told_apart(prefixes: Prefixes) -> None:
    check_prefixes(prefixes)


@pytest.mark.parametrize(
    ("prefixes", "named"),
    [
        (Prefixes("app"), "--app-prefix 'app'"),
        (Prefixes(""), "--app-prefix ''"),
        (Prefixes("/"), "--app-prefix '/'"),
        (Prefixes("/a b"), "--app-prefix '/a b'"),
        (Prefixes("/" + "a" * 64), "--app-prefix"),
        (Prefixes(user="user"), "--user-prefix 'user/'"),
        (Prefixes(user="/*/"), "--user-prefix"),
        (Prefixes(broker=()), "--broker-prefix"),
        (Prefixes(broker=("/topic", "/a b")), "--broker-prefix '/a b'"),
        (Prefixes(broker=("/topic#",)), "--broker-prefix"),
        (Prefixes("/topic"), "--broker-prefix /topic is never reached: --app-prefix /topic/"),
        (Prefixes("/app", ("/topic", "/user/queue")), "--broker-prefix /user/queue is never reached"),
        (Prefixes("/user"), "--user-prefix /user/ is never reached: --app-prefix /user/"),
        (Prefixes("/user/app"), "--app-prefix /user/app/"),
    ],
)
def test_a_prefix_that_would_be_silent_is_refused(prefixes: Prefixes, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_prefixes(prefixes)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "destination",
    ["/topic/greetings", "/topic/unresolved.user.dest", "/exchange/amq.topic/registry", "/topic/a%2Fb"],
)
def test_a_topic_may_be_both_broadcasts(destination: str) -> None:
    settings = InstanceSettings(unresolved_destination=destination, registry_destination=destination)
    assert settings.one_broadcast_destination


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        ("", "slash"),
        ("topic/greetings", "slash"),
        ("/", "slash"),
        ("/topic/a b", "blanks"),
        ("/topic/" + "a" * 250, "255 bytes"),
        ("/topic/a\n", "printable"),
        ("/topic/greetings.*", "wildcards"),
        ("/topic/#", "wildcards"),
        ("/queue/greetings", "queue"),
        ("/amq/queue/greetings", "queue"),
        ("/temp-queue/greetings", "queue"),
        ("/topic/pushscope.web-socket.peers", "belong to the instances"),
        ("/user/topic/greetings", "the broker gets nothing"),
        ("/app/greetings", "the broker gets nothing"),
    ],
)
def test_what_is_no_topic_cannot_be_a_broadcast(destination: str, why: str) -> None:
    fine = "/topic/greetings"
    for given in ((destination, fine), (fine, destination)):
        with pytest.raises(UsageError, match=why) as caught:
            check_broadcasts(Prefixes(), *given)
        option = ("--user-destination-broadcast", "--user-registry-broadcast")[given.index(destination)]
        assert str(caught.value).startswith(option)
