"""Whoever comes and goes is freed at once: the collector, which comes rarely, has nothing to wait for."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from server.endpoints.sockjs import StompOverSockJs
from server.instance import Instance
from server.sessions.session import Session
from server.settings.instance import SOCKJS
from server.sockjs.session import HttpSession
from tests.support.instances import one_instance
from tests.support.processes import until
from tests.support.raw_http import connected

SHORT = msgspec.structs.replace(SOCKJS, disconnect_s=0.05, heartbeat_s=0.02)
TRANSPORTS = {
    "xhr": ("POST", "xhr"),
    "xhr_streaming": ("POST", "xhr_streaming"),
    "eventsource": ("GET", "eventsource"),
    "htmlfile": ("GET", "htmlfile?c=f"),
    "jsonp": ("GET", "jsonp?c=f"),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only counting references frees something."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive(*kinds: type) -> Counter[str]:
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))


async def nobody_is_left(instance: Instance) -> None:
    await until(lambda: not instance.hub.sessions, "all sessions have ended")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("malformed", [False, True], ids=["left", "malformed"])
@pytest.mark.parametrize(("method", "path"), TRANSPORTS.values(), ids=TRANSPORTS)
async def test_sockjs_sessions_are_freed(method: str, path: str, malformed: bool) -> None:
    before = alive(HttpSession, StompOverSockJs, Session)
    async with one_instance(sockjs=SHORT) as instance:
        for number in range(3):
            async with connected(instance.url) as http, connected(instance.url) as sending:
                await http.ask(method, f"/ws/000/s{number}/{path}")
                if malformed:
                    sent = await sending.ask(
                        "POST", f"/ws/000/s{number}/xhr_send", body=b'["foo bar\\n\\n\\u0000"]'
                    )
                    assert sent.status == 204
        await nobody_is_left(instance)
        await until(
            lambda: alive(HttpSession, StompOverSockJs, Session) == before,
            "they are freed",
        )
