"""A broker of several nodes, and one that is there but does not answer."""

from __future__ import annotations

import asyncio

from core.errors import BrokerUnavailable
from server.brokers.delivery import Delivery
from server.brokers.embedded import EmbeddedBroker
from server.brokers.reconnecting import RelayTimes
from tests.support.processes import until, unused_port

from .test_stomp import PATIENCE, QUICK, silent_broker, watched


async def test_the_next_node_is_taken_when_one_is_away_and_when_it_goes() -> None:
    async with EmbeddedBroker() as second:
        first = unused_port()
        url = f"stomp://127.0.0.1:{first},127.0.0.1:{second.port}"
        async with watched(url) as relay:
            await relay.up()
            assert relay.broker.url == f"stomp://127.0.0.1:{second.port}"
            got: asyncio.Queue[Delivery] = asyncio.Queue()
            relay.broker.subscribe("/topic/a", got.put_nowait)
            async with EmbeddedBroker(port=first) as other:
                await second.__aexit__(None, None, None)
                await until(lambda: bool(other.exchange.bindings), "the first node has the subscription")
                assert relay.broker.url == f"stomp://127.0.0.1:{first}"
                relay.broker.publish("/topic/a", {}, b"moved")
                async with asyncio.timeout(PATIENCE):
                    assert (await got.get()).body == b"moved"


async def test_a_broker_that_greets_and_then_is_silent_is_found_by_its_missing_heart_beats() -> None:
    times = RelayTimes(heartbeat_ms=(1000, 100), first_pause_s=0.01, longest_pause_s=0.05)
    async with silent_broker(heartbeat=(100, 0)) as (url, peers), watched(url, times=times) as relay:
        await relay.up()
        await until(lambda: len(peers) > 1, "it is given up and asked again")
        assert any("ms" in reason or "heart" in reason for _, reason in relay.changes)


async def test_a_broker_that_beats_but_answers_nothing_is_given_up() -> None:
    times = RelayTimes(answer_s=0.1, first_pause_s=0.01, longest_pause_s=0.05)
    async with silent_broker() as (url, peers), watched(url, times=times) as relay:
        await relay.up()
        done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        relay.broker.publish("/topic/a", {}, b"x", done.set_result)  # never confirmed
        async with asyncio.timeout(PATIENCE):
            error = await done
        assert error is not None and "answered nothing for 0.1 s" in str(error)
        await until(lambda: len(peers) > 1, "it is asked again")


async def test_our_heart_beats_go_out_while_nobody_says_anything() -> None:
    times = RelayTimes(heartbeat_ms=(50, 0), first_pause_s=0.01)
    async with silent_broker(heartbeat=(0, 50)) as (url, peers), watched(url, times=times) as relay:
        await relay.up()
        await until(lambda: peers[0].beats > 2, "heart-beats")
        assert relay.changes == [(True, "")]


async def test_a_refused_login_is_the_reason_though_the_broker_keeps_the_connection() -> None:
    words = b"Access refused for user 'joe'\n"
    async with silent_broker(refuse=words) as (url, _), watched(url, times=QUICK) as relay:
        await until(lambda: "Access refused" in relay.broker.reason, "the broker's words")
        assert relay.broker.reason == "Bad CONNECT: Access refused for user 'joe'"
