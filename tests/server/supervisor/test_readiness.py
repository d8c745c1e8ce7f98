"""What an instance's /info must say before a cluster counts as ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest

from core.errors import ClusterStartError
from server.brokers.embedded import EmbeddedBroker
from server.brokers.reconnecting import RelayTimes
from server.supervisor.probe import get_json
from server.supervisor.readiness import check_broker, wait_for_gateway, wait_for_mesh
from tests.support.processes import until, unused_port
from tests.support.rabbitmq import VirtualHost

Answer = Callable[[], bytes]


def _ok(document: object) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + json.dumps(document).encode()


@asynccontextmanager
async def _serving(answer: Answer) -> AsyncGenerator[str]:
    """A server that answers every request the same way, and says nothing to b""."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who only tries whether the port answers sends nothing.
        with closing(writer), suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            data = answer()
            if not data:
                await reader.read()
            writer.write(data)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_document() -> None:
    async with _serving(lambda: _ok({"sessions": 3})) as url:
        assert await get_json(f"{url}/info", within=10) == {"sessions": 3}


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 503 No\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\nnot json", b"\r\n"]
)
async def test_no_document(answer: bytes) -> None:
    async with _serving(lambda: answer) as url:
        assert await get_json(url, within=10) is None


async def test_a_server_that_is_silent_or_gone_costs_no_more_than_the_limit() -> None:
    async with _serving(lambda: b"") as url:
        assert await get_json(url, within=0.05) is None
    assert await get_json(url, within=10) is None


async def test_ready_when_broker_and_peers_are_known() -> None:
    documents: list[object] = [
        {"broker": {"available": False}, "strategy": "relay", "peers": []},
        {"broker": {"available": True}, "strategy": "relay", "peers": []},
        {"broker": {"available": True}, "strategy": "relay", "peers": ["i2"]},
    ]
    answers = iter(documents)
    async with (
        _serving(lambda: _ok(next(answers))) as first,
        _serving(
            lambda: _ok(
                {"broker": {"available": True}, "strategy": "relay", "peers": [{"id": "i1"}, {"id": "i9"}]}
            )
        ) as second,
    ):
        await wait_for_mesh(lambda: {"i1": first, "i2": second})
    assert next(answers, None) is None


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (
            {"broker": {"available": False}, "strategy": "relay", "peers": ["i2"]},
            "i1 is up, but has no connection to the broker",
        ),
        (
            {"broker": {"available": True}, "strategy": "relay", "peers": ["i3"]},
            "i1 is up, but does not know i2",
        ),
    ],
)
async def test_what_is_missing_is_named(document: object, named: str) -> None:
    async with _serving(lambda: _ok(document)) as url:
        with pytest.raises(ClusterStartError, match=named):
            await wait_for_mesh(lambda: {"i1": url, "i2": url}, within=0)


async def test_a_broker_is_there_when_it_lets_us_in() -> None:
    await check_broker("memory:")
    async with EmbeddedBroker() as broker:
        await check_broker(broker.url)
        await check_broker(f"{broker.url},127.0.0.1:{unused_port()}")  # one node is enough
        assert broker.exchange.status.subscriptions == 0
        await until(lambda: not broker.peers, "who only asked has left")
    with pytest.raises(ClusterStartError, match=f"no broker at {broker.url}: ") as caught:
        await check_broker(broker.url.replace("//", "//user:secret@"))
    assert "secret" not in f"{caught.value} {caught.value.tried} {caught.value.hint}"


async def test_a_rabbitmq_is_there_over_both_languages(rabbitmq: VirtualHost) -> None:
    for url in (rabbitmq.stomp_url, rabbitmq.amqp_url):
        await check_broker(url)
        with pytest.raises(ClusterStartError, match=r"(?i)denied|refused|not found|not_allowed"):
            await check_broker(url.replace(rabbitmq.name, "nowhere"))


@pytest.mark.parametrize("scheme", ["stomp", "stomps", "amqp", "amqps"])
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (
            b'INFO {"server_id":"N","version":"2.10"}\r\n',
            {
                "stomp": r"unknown command 'INFO {",
                "amqp": r"'INFO {\"server_id\"",
                "stomps": "does not speak TLS",
                "amqps": "does not speak TLS",
            },
        ),
        (
            b"",
            {
                "stomp": "closed the connection, instead of an answer to CONNECT",
                "amqp": "closed the connection, instead of an answer",
                "stomps": "ended the TLS handshake",
                "amqps": "ended the TLS handshake",
            },
        ),
    ],
    ids=["as NATS", "as mosquitto"],
)
async def test_what_is_no_broker_of_ours_is_named_with_what_it_says(
    scheme: str, said: bytes, heard: dict[str, str]
) -> None:
    async with _saying(said) as port:
        with pytest.raises(ClusterStartError, match=heard[scheme]) as caught:
            await check_broker(f"{scheme}://user:secret@127.0.0.1:{port}")
    assert f"{scheme}://127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.tried} {caught.value.hint}"


@pytest.mark.parametrize("scheme", ["stomp", "stomps", "amqp", "amqps"])
async def test_who_says_nothing_is_not_waited_for_long(scheme: str) -> None:
    async with _saying(None) as port:
        with pytest.raises(ClusterStartError, match=r"no answer within 0\.2 s"):
            await check_broker(f"{scheme}://127.0.0.1:{port}", times=RelayTimes(connect_s=0.2))


@asynccontextmanager
async def _saying(what: bytes | None) -> AsyncGenerator[int]:
    """Somebody who says this to whoever comes, and closes; None says nothing and stays."""
    leaving = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if what is None:
            await leaving.wait()
        else:
            writer.write(what)
            await reader.read(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
        leaving.set()


async def test_nobody_waits_for_an_instance_that_died() -> None:
    ready: dict[str, str] = {}

    def answer() -> bytes:
        ready.pop("i2", None)
        return _ok({"broker": {"available": True}, "strategy": "relay", "peers": []})

    async with _serving(answer) as url:
        ready |= {"i1": url, "i2": "http://127.0.0.1:1"}
        await wait_for_mesh(lambda: ready)


async def test_a_gateway_that_knows_everybody() -> None:
    async with _serving(lambda: _ok({"services": {"web-socket": ["i2", "i1"]}})) as url:
        await wait_for_gateway(url, "web-socket", ("i1", "i2"))
        with pytest.raises(ClusterStartError, match="gateway is up, but does not know i3"):
            await wait_for_gateway(url, "web-socket", ("i1", "i3"), within=0)
