"""Discovery URLs."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from server.discovery.address import DiscoveryAddress, EurekaTimes, reachable


def bases(url: str) -> list[str]:
    return [server.base for server in DiscoveryAddress.parse(url).servers]


@pytest.mark.parametrize(
    ("url", "watch", "servers"),
    [
        ("http://h:8761", "ws://h:8761/watch", ["http://h:8761/eureka", "http://h:8761/eureka/v2"]),
        ("http://h:8761/eureka/", "ws://h:8761/watch", ["http://h:8761/eureka"]),
        ("https://h/eureka/v2", "wss://h/watch", ["https://h/eureka/v2"]),
        ("http://h/behind/eureka", "ws://h/behind/watch", ["http://h/behind/eureka"]),
        ("eureka+http://h:8761/eureka", "", ["http://h:8761/eureka"]),
        ("http://a:1/eureka/, http://b:2/eureka/", "", ["http://a:1/eureka", "http://b:2/eureka"]),
        (
            "http://[::1]:8761",
            "ws://[::1]:8761/watch",
            ["http://[::1]:8761/eureka", "http://[::1]:8761/eureka/v2"],
        ),
    ],
)
def test_what_a_url_says(url: str, watch: str, servers: list[str]) -> None:
    address = DiscoveryAddress.parse(url)
    assert address.watch == watch
    assert bases(url) == servers
    assert address.times == EurekaTimes(30, 90, 30)


def test_times() -> None:
    address = DiscoveryAddress.parse("http://h:8761/eureka?renew=5&lease=15&fetch=0.5")
    assert address.times == EurekaTimes(5, 15, 0.5)
    assert address.shown == "http://h:8761/eureka"


def test_a_password_is_shown_nowhere() -> None:
    address = DiscoveryAddress.parse("http://me:se%40cret@h:8761/eureka")
    assert address.authorization == "Basic bWU6c2VAY3JldA=="
    assert address.servers[0].authorization == address.authorization
    assert "cret" not in repr(address)
    assert "bWU6" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:8761",
        "ftp://h/eureka",
        "http://",
        "http://h:x/",
        "http://h:99999",
        "http://a,",
        "http://h?renew=0",
        "http://h?renew=30&lease=30",
        "http://h?fetch=nan",
        "http://h?fetch=x",
        "http://h?refetch=1",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(UsageError) as error:
        DiscoveryAddress.parse(url)
    assert error.value.hint


def test_a_wrong_url_does_not_tell_its_password() -> None:
    with pytest.raises(UsageError) as error:
        DiscoveryAddress.parse("http://me:secret@h:x/")
    assert "secret" not in str(error.value)


def test_who_listens_everywhere_is_reached_at_this_machines_address() -> None:
    address = DiscoveryAddress.parse("http://127.0.0.1:8761")
    assert reachable("0.0.0.0", address) == "127.0.0.1"
    assert reachable("::", address) == "127.0.0.1"
    assert reachable("10.1.2.3", address) == "10.1.2.3"
