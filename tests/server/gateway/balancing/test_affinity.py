"""What a gateway remembers of SockJS sessions: bounded in number and time."""

from __future__ import annotations

import pytest

from server.gateway.balancing.affinity import Holders, by_name, session_of
from server.gateway.balancing.targets import Target


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("/000/abc/xhr", "abc"),
        ("/web-socket/ws/000/a%20b/xhr_streaming/", "a%20b"),
        ("/ws/0/abc/jsonp_send", "abc"),
        ("/000/abc/websocket", ""),
        ("/000/abc/xhr/x", ""),
        ("/abc/xhr", ""),
        ("/xhr", ""),
        ("xhr", ""),
        ("//abc/xhr", ""),
        ("/0/abc/XHR", ""),
        (f"/0/{'x' * 1000}/xhr", ""),
    ],
)
def test_paths_of_sessions(path: str, session: str) -> None:
    assert session_of(path) == session


def test_the_sessions_used_last_are_remembered() -> None:
    holders = Holders(most=3)
    for name in ("a", "b", "c"):
        holders.learn("s", name, f"i-{name}")
    holders.learn("s", "a", "elsewhere")
    holders.learn("s", "d", "i-d")
    assert [holders.find("s", name) for name in ("a", "b", "c", "d")] == ["elsewhere", None, "i-c", "i-d"]
    assert holders.find("t", "a") is None
    assert len(holders) == 3


def test_a_session_without_requests_is_forgotten() -> None:
    now = 0.0
    holders = Holders(idle_s=10, clock=lambda: now)
    holders.learn("s", "a", "i1")
    holders.learn("s", "b", "i1")
    now = 9.0
    holders.learn("s", "b", "i1")
    assert holders.find("s", "a") == "i1"
    now = 10.0
    assert holders.find("s", "a") is None
    holders.learn("s", "c", "i1")
    assert len(holders) == 2


def test_weights_hold_for_names_too() -> None:
    heavy, light = Target("i1", "h", 1, weight=3), Target("i2", "h", 2)
    first = [by_name(f"s{n}", (heavy, light))[0] for n in range(400)]
    assert 260 < first.count(heavy) < 340
