"""STOMP clients over every transport of SockJS, against a real instance."""

from __future__ import annotations

import functools
import hashlib
from contextlib import AsyncExitStack

import pytest

from core.client import ReconnectingClient, ReconnectPolicy, StompClient
from core.errors import LocalProtocolError, ServerError
from core.transport.sockjs import TRANSPORTS, SockJsTransport, connect_sockjs
from server.instance import Instance
from server.settings.instance import InstanceSettings
from tests.support.processes import until

AWKWARD = '100% é \u2028 😀 %E0 </script> \x01 \\ " \u200c \uffff'


def client_of(instance: Instance, transport: SockJsTransport, user: str = "anna") -> StompClient:
    connect = functools.partial(connect_sockjs, transports=[transport], least_timeout=5)
    return StompClient(f"{instance.url}/ws", user=user, connect=connect)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_everything_of_a_client(transport: SockJsTransport) -> None:
    large = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(3200))
    assert len(large) > 200_000
    async with Instance(InstanceSettings()) as instance:
        async with client_of(instance, transport) as client:
            assert client.connected.headers["user-name"] == "anna"
            topic = await client.subscribe("/topic/x")
            for body in (AWKWARD, "", "plain"):
                await client.send("/topic/x", body, receipt=True)
                assert (await topic.get(5)).body == body.encode()
            for number in range(30):
                await client.send("/topic/x", str(number))
            assert [(await topic.get(5)).body for _ in range(30)] == [b"%d" % number for number in range(30)]
            instance.template.send("/topic/x", large)
            assert (await topic.get(10)).body == large.encode()
            with pytest.raises(LocalProtocolError, match="SockJS carries text only"):
                await client.send("/topic/x", b"\xff")
            await topic.unsubscribe()
        await until(lambda: instance.sessions == 0, "the session has ended")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refusal_of_the_server(transport: SockJsTransport) -> None:
    async with Instance(InstanceSettings()) as instance, client_of(instance, transport) as client:
        with pytest.raises(ServerError, match="Unknown destination"):
            await client.subscribe("/nowhere")
        assert (await client.wait_closed()).code == 1002


async def test_an_http_url_is_enough() -> None:
    async with Instance(InstanceSettings()) as one, StompClient(f"{one.url}/ws", user="anna") as client:
        assert client.instance == "i1"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_comes_back_begins_a_new_session(transport: SockJsTransport) -> None:
    async with AsyncExitStack() as first_life, Instance(InstanceSettings(id="i2")) as second:
        instances = [await first_life.enter_async_context(Instance(InstanceSettings(id="i1"))), second]
        policy = ReconnectPolicy(first=0.01, maximum=0.05)
        async with ReconnectingClient(lambda: client_of(instances[0], transport), policy) as client:
            topic = await client.subscribe("/topic/x")
            instances[0].template.send("/topic/x", "one")
            assert (await topic.get(5)).body == b"one"
            del instances[0]
            await first_life.aclose()
            await until(lambda: topic.renewals == 1, "the subscription is renewed")
            second.template.send("/topic/x", "two")
            assert (await topic.get(5)).body == b"two"
            assert client.reconnects == 1
