"""How much a client may send at a time: the limits are settings, on every carrier."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from core.errors import UsageError
from core.protocol.limits import KIB, MIB
from server.brokers.limits import LINK_LIMITS, limits_of
from server.brokers.memory import MemoryBroker
from server.roles.options import InstanceOptions
from server.settings.instance import InstanceSettings
from server.sockjs.suite import SuiteServer
from server.supervisor.cluster import LocalCluster
from tests.support.instances import one_instance
from tests.support.raw_http import request
from tests.support.raw_stomp import raw_stomp

RABBITMQ_4 = limits_of("RabbitMQ/4.1.0", "guest")


@pytest.mark.parametrize(("settings", "largest"), [({}, 64 * KIB), ({"max_frame": MIB}, MIB)])
async def test_a_frame_may_be_as_large_as_the_setting_says(settings: dict[str, Any], largest: int) -> None:
    head = len("SEND\ndestination:/topic/a\ncontent-length:1000000\n\n")
    async with one_instance(**settings) as instance, raw_stomp(instance.url) as client:
        await client.connect()
        await client.send("SEND", {"destination": "/topic/a"}, b"x" * (largest - head))
        await client.nothing_before_receipt()
        await client.send("SEND", {"destination": "/topic/a"}, b"x" * largest)
        assert f"limit of {largest} bytes" in (await client.expect("ERROR")).headers["message"]


@pytest.mark.parametrize(("settings", "largest"), [({}, 256 * KIB), ({"max_message": 8 * KIB}, 8 * KIB)])
async def test_a_message_may_be_as_large_as_the_setting_says(settings: dict[str, Any], largest: int) -> None:
    async with one_instance(**settings) as instance:
        url = instance.url.replace("http", "ws", 1)
        for path in ("/ws", "/ws/websocket", "/ws/000/s1/websocket"):
            async with connect(url + path, proxy=None, compression=None) as socket:
                await socket.send("\n" * (largest + 1))
                await socket.wait_closed()
                assert socket.close_code == 1009
        assert (await request(instance.url, "POST", "/ws/000/s2/xhr")).status == 200
        body = json.dumps(["\n" * largest]).encode()
        assert (await request(instance.url, "POST", "/ws/000/s2/xhr_send", body=body)).status == 413
        body = json.dumps(["\n" * 1000]).encode()
        assert (await request(instance.url, "POST", "/ws/000/s2/xhr_send", body=body)).status == 204


def test_a_message_holds_at_least_a_frame() -> None:
    assert InstanceSettings().largest_message == 256 * KIB
    assert InstanceSettings(max_frame=MIB).largest_message > MIB
    assert InstanceSettings(max_frame=MIB, max_message=1024).largest_message == 1024


@pytest.mark.parametrize("name", ["max_frame", "max_message"])
async def test_what_no_broker_takes_is_refused_at_the_start(name: str) -> None:
    too_much: dict[str, Any] = {name: LINK_LIMITS.frame + 1}
    words = rf"--{name.replace('_', '-')} \d+ is more than the {LINK_LIMITS.frame} bytes"
    with pytest.raises(UsageError, match=words):
        async with one_instance(**too_much):
            pass
    with pytest.raises(UsageError, match=words):
        LocalCluster(1, instance=InstanceOptions(**too_much))


async def test_what_this_broker_does_not_take_is_refused_when_it_says_who_it_is() -> None:
    broker = MemoryBroker()
    broker.limits = RABBITMQ_4
    with pytest.raises(UsageError, match=r"max-frame 8388608 is more than .* RabbitMQ/4.1.0"):
        async with one_instance(broker=broker, max_frame=8 * MIB):
            pass


@pytest.mark.parametrize("path", ["/echo/websocket", "/echo/000/s1/websocket"])
async def test_sockjs_test_has_both_limits(path: str) -> None:
    async with SuiteServer(max_frame=100, max_message=1024) as server:
        url = server.url.replace("http", "ws", 1) + path
        framed = path.count("/") > 2
        for size, code in ((99, None), (101, 1009), (2000, 1009)):
            async with connect(url, proxy=None, compression=None) as socket:
                if framed:
                    assert await socket.recv() == "o"
                await socket.send(json.dumps(["x" * size]) if framed else "x" * size)
                if code is None:
                    assert "x" * size in str(await socket.recv())
                elif framed and size == 101:
                    assert await socket.recv() == 'c[1009,"a message may have 100 bytes"]'
                else:
                    await socket.wait_closed()
                    assert socket.close_code == code
