"""Rules: deny by default, the first rule that applies decides, no spelling gets around one."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UsageError
from server.handlers import Allow, ClientFrame, Denied, Deny, Rules

from ...support.instances import one_instance
from ...support.raw_stomp import raw_stomp

RULES = Rules(
    Allow("CONNECT", when=lambda frame: frame.user != ""),
    Allow("SUBSCRIBE", "/user/**", "/topic/news.*"),
    Deny("SUBSCRIBE", "/topic/board"),
    Allow("SUBSCRIBE", "/topic/**", when=lambda frame: frame.attributes.get("role") == "admin"),
    Allow("SUBSCRIBE", "/topic/#", wildcards=True, when=lambda frame: frame.user == "root"),
    Allow("SEND", "/app/**"),
)


def allowed(command: Any, destination: str = "", user: str = "joe", **attributes: str) -> bool:
    try:
        RULES(ClientFrame(command, "s1", user, destination, {}, b"", dict(attributes)))
    except Denied as denied:
        assert str(denied) == "Access denied"
        assert command in denied.detail
        return False
    return True


@pytest.mark.parametrize(
    ("command", "destination", "allow"),
    [
        ("CONNECT", "", True),
        ("SUBSCRIBE", "/user/queue/x", True),
        ("SUBSCRIBE", "/user/queue/a%2Fb", True),
        ("SUBSCRIBE", "/topic/news.eu", True),
        ("SUBSCRIBE", "/topic/news.#", False),
        ("SUBSCRIBE", "/topic/news.*", False),
        ("SUBSCRIBE", "/topic/news.%23", False),
        ("SUBSCRIBE", "/topic/news.a,topic://board", False),
        ("SUBSCRIBE", "/topic/other", False),
        ("SUBSCRIBE", "/topic/#", False),
        ("SEND", "/app/hello", True),
        ("SEND", "/topic/news.eu", False),
        ("SEND", "/appx", False),
    ],
)
def test_what_no_rule_allows_is_denied(command: str, destination: str, allow: bool) -> None:
    assert allowed(command, destination) is allow


def test_conditions_are_asked() -> None:
    assert not allowed("CONNECT", user="")
    assert allowed("SUBSCRIBE", "/topic/other", role="admin")
    assert not allowed("SUBSCRIBE", "/topic/other", role="clerk")
    assert not allowed("SUBSCRIBE", "/topic/board", role="admin")
    assert not allowed("SUBSCRIBE", "/topic/%62oard", role="admin")
    assert allowed("SUBSCRIBE", "/topic/#", user="root")


def test_a_rule_for_nothing_is_told() -> None:
    with pytest.raises(UsageError, match="ACK"):
        Allow("ACK")  # type: ignore[arg-type]


async def test_rules_are_an_interceptor() -> None:
    async with one_instance(interceptors=[RULES]) as instance, raw_stomp(instance.url) as client:
        await client.connect(login="joe")
        await client.subscribe("/topic/news.eu")
        await client.send("SEND", {"destination": "/topic/news.eu"}, b"x")
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Access denied"
        assert error.body == b"SEND /topic/news.eu is not allowed"
