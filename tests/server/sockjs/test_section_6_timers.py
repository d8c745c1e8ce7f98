"""docs/wire/sockjs.md §6: timers, first with a clock of the test, then the real thing, shortened."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.asyncio.client import connect

from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs import Echo, SockJsService, SockJsSettings
from tests.support.processes import until
from tests.support.raw_http import connected, request
from tests.support.sockjs_bench import Bench, Taker


def test_defaults() -> None:
    settings = SockJsSettings()
    assert (settings.disconnect_s, settings.heartbeat_s, settings.response_limit) == (5, 25, 131072)


def test_a_session_without_a_receiver_lives_for_five_seconds_from_its_creation() -> None:
    bench = Bench()
    bench.clock.move(4.9)
    assert not bench.forgotten
    bench.clock.move(0.1)
    assert bench.forgotten
    assert bench.heard.ends == [(1006, "")]


def test_and_from_each_time_when_a_receiver_detaches() -> None:
    bench = Bench()
    for expected in (b"o", None, None):
        bench.clock.move(4.9)
        taker = bench.attach()
        assert bench.session.take() == expected
        bench.clock.move(24.9)
        bench.session.detach(taker)
    assert not bench.forgotten
    bench.clock.move(5)
    assert bench.forgotten


def test_an_attached_receiver_hears_a_heartbeat_every_25_seconds() -> None:
    bench = Bench()
    taker = bench.attach()
    assert bench.session.take() == b"o"
    for _ in range(3):
        bench.clock.move(24.9)
        assert bench.session.take() is None
        bench.clock.move(0.1)
        assert taker.woken
        assert bench.session.take() == b"h"


def test_with_spring_a_message_puts_the_next_heartbeat_off() -> None:
    bench = Bench(dialect="spring")
    bench.attach()
    bench.session.take()
    for _ in range(5):
        bench.clock.move(20)
        bench.session.send("x")
        assert bench.session.take() == b'a["x"]'
    bench.clock.move(24.9)
    assert bench.session.take() is None
    bench.clock.move(0.1)
    assert bench.session.take() == b"h"


def test_nobody_hears_heartbeats_that_were_stopped_or_switched_off() -> None:
    for stopped in (True, False):
        bench = Bench(heartbeat_s=25.0 if stopped else 0.0)
        bench.attach()
        bench.session.take()
        if stopped:
            bench.session.stop_heartbeats()
        bench.clock.move(1000)
        assert bench.session.take() is None


def test_a_receiver_that_takes_no_heartbeat_is_cut() -> None:
    bench = Bench()
    taker = bench.attach()
    bench.clock.move(25)
    assert not taker.aborted
    bench.clock.move(25)
    assert taker.aborted


def test_a_closed_session_answers_until_its_timer_fires() -> None:
    bench = Bench()
    taker = bench.attach()
    assert bench.session.take() == b"o"
    bench.session.close(3001, "enough")
    assert bench.heard.ends == [(3001, "enough")]
    for _ in range(3):
        assert bench.session.take() == b'c[3001,"enough"]'
        bench.session.detach(taker)
        bench.clock.move(4.9)
        taker = bench.attach()  # which starts the timer again
    bench.session.detach(taker)
    bench.clock.move(5)
    assert bench.forgotten
    assert bench.told == 1


def test_a_session_is_forgotten_once() -> None:
    for attached in (True, False):
        bench = Bench()
        taker = bench.attach()
        if not attached:
            bench.session.detach(taker)
        bench.session.expire()
        bench.forgotten = False
        bench.session.detach(taker)
        bench.clock.move(100)
        bench.session.expire()
        assert not bench.forgotten
        assert bench.heard.ends == [(1006, "")]


def test_a_client_that_does_not_take_the_close_frame_is_cut() -> None:
    bench = Bench()
    taker = bench.attach()
    bench.session.close()
    bench.clock.move(2)
    assert taker.aborted


def test_what_waits_comes_before_the_close_frame() -> None:
    bench = Bench()
    bench.session.send("last words")
    bench.session.close()
    bench.session.send("too late")
    bench.attach()
    frames = [bench.session.take() for _ in range(4)]
    assert frames == [b"o", b'a["last words"]', b'c[3000,"Go away!"]', b'c[3000,"Go away!"]']


def test_an_interruption_ends_the_session_at_once() -> None:
    bench = Bench()
    taker = bench.attach()
    bench.session.take()
    bench.session.send("lost")
    bench.session.interrupt(taker)
    assert bench.heard.ends == [(1006, "")]
    bench.attach()
    assert bench.session.take() == b'c[1002,"Connection interrupted"]'


def test_a_receiver_that_is_only_being_written_gives_way() -> None:
    bench = Bench()
    first = bench.attach()
    assert not bench.session.attach(Taker())
    first.finishing = True
    second = bench.attach()
    bench.session.detach(first)  # comes late and means nothing
    bench.session.interrupt(first)
    assert not bench.session.attach(Taker())
    bench.session.detach(second)
    bench.attach()


def test_the_application_is_told_when_more_waits_than_it_should_and_when_not() -> None:
    bench = Bench(high_water=100)
    bench.attach()
    bench.session.take()
    bench.session.send("x" * 50)
    assert bench.heard.fulls == []
    bench.session.send("x" * 50)
    bench.session.send("x" * 50)
    assert bench.heard.fulls == [True]
    bench.session.take()
    assert bench.heard.fulls == [True, False]
    assert bench.session.waiting_bytes == 0


@pytest.mark.parametrize("limit", [{"max_waiting": 100}, {"max_waiting_messages": 5}])
@pytest.mark.parametrize(("dialect", "code"), [("sockjs", 4500), ("spring", 1002)])
def test_a_session_over_the_limit_of_what_waits_ends(limit: dict[str, int], dialect: str, code: int) -> None:
    bench = Bench(high_water=50, dialect=dialect, **limit)
    for _ in range(6):
        bench.session.send("x" * 20)
    reason = "Failed to send message within the configured send limit"
    assert bench.heard.ends == [(code, reason)]
    assert bench.session.waiting_bytes == 0
    bench.attach()
    told = f'c[{code},"{reason}"]' if dialect == "sockjs" else 'c[3000,"Go away!"]'
    assert [bench.session.take(), bench.session.take()] == [b"o", told.encode()]


# ---- the real thing ------------------------------------------------------------------------------


def echo(**settings: Any) -> Listener:
    return Listener(SockJsService(Echo, SockJsSettings(**settings)), http=StrictHttpProtocol)


async def test_heartbeats_on_a_stream_a_poll_and_a_socket() -> None:
    async with echo(heartbeat_s=0.05) as listener:
        async with connected(listener.url) as http:
            await http.ask("POST", "/000/a/xhr_streaming")
            chunks = [await http.chunk() for _ in range(5)]
            assert chunks[1:] == [b"o\n", b"h\n", b"h\n", b"h\n"]
        assert (await request(listener.url, "POST", "/000/b/xhr")).body == b"o\n"
        # on polling it ends the response
        assert (await request(listener.url, "POST", "/000/b/xhr")).body == b"h\n"
        url = f"ws{listener.url.removeprefix('http')}"
        async with connect(f"{url}/000/c/websocket", proxy=None) as ws:
            assert [await ws.recv() for _ in range(3)] == ["o", "h", "h"]


async def test_no_heartbeats_without_sockjs_framing() -> None:
    async with (
        echo(heartbeat_s=0.01) as listener,
        connect(f"ws{listener.url.removeprefix('http')}/websocket", proxy=None) as ws,
    ):
        for number in range(20):
            await ws.send(str(number))
            assert await ws.recv() == str(number)


async def test_a_name_is_free_again_after_the_delay() -> None:
    service = SockJsService(Echo, SockJsSettings(disconnect_s=0.05))
    async with Listener(service) as listener:
        assert (await request(listener.url, "POST", "/000/a/xhr")).body == b"o\n"
        await until(lambda: service.sessions == 0, "the session is forgotten")
        assert (await request(listener.url, "POST", "/000/a/xhr")).body == b"o\n"
