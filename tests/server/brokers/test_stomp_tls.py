"""STOMP over TLS: an authority of the test's own signs, the embedded broker is behind it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from core.errors import BrokerUnavailable
from server.brokers.delivery import Delivery
from server.brokers.embedded import EmbeddedBroker
from tests.support.certificates import Authority
from tests.support.processes import until
from tests.support.requirements import requires

from .test_stomp import PATIENCE, watched

pytestmark = requires("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def tls_broker(context: ssl.SSLContext) -> AsyncGenerator[int]:
    """The port of an embedded broker behind TLS."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def splice() -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", broker.port)
            try:
                await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
            finally:
                inner_writer.transport.abort()
                writer.transport.abort()

        task = asyncio.get_running_loop().create_task(splice())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with EmbeddedBroker() as broker:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.sleep(0.01)  # who came at the last moment
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)  # the end of the transports


async def trouble(url: str) -> str:
    """Why a broker object does not come to a connection."""
    async with watched(url) as relay:
        await until(lambda: relay.broker.reason != "not connected yet", "it was tried")
        assert not relay.broker.available
        return relay.broker.reason


async def test_a_broker_that_is_trusted_carries_messages(authority: Authority) -> None:
    context = authority.server_context(authority.sign("server"))
    async with (
        tls_broker(context) as port,
        watched(f"stomps://localhost:{port}?cafile={authority.cafile}") as relay,
    ):
        await relay.up()
        got: asyncio.Queue[Delivery] = asyncio.Queue()
        ready: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        relay.broker.subscribe("/topic/a", got.put_nowait, ready.set_result)
        async with asyncio.timeout(PATIENCE):
            assert await ready is None
            relay.broker.publish("/topic/a", {}, b"x" * 300_000)
            assert len((await got.get()).body) == 300_000


async def test_an_unknown_authority_is_refused_and_the_way_out_named(authority: Authority) -> None:
    async with tls_broker(authority.server_context(authority.sign("server"))) as port:
        reason = await trouble(f"stomps://localhost:{port}")
        assert f"the certificate of localhost:{port} is not trusted" in reason
        assert "cafile" in reason
        async with watched(f"stomps://localhost:{port}?no_verify_ssl=1") as careless:
            await careless.up()


async def test_a_certificate_for_another_host_is_refused(authority: Authority) -> None:
    context = authority.server_context(authority.sign("elsewhere", "DNS:elsewhere.example"))
    async with tls_broker(context) as port:
        reason = await trouble(f"stomps://localhost:{port}?cafile={authority.cafile}")
        assert "not trusted" in reason and "localhost" in reason


async def test_a_broker_may_want_our_certificate(authority: Authority, tmp_path: Path) -> None:
    context = authority.server_context(authority.sign("server"), ask=True)
    certfile, keyfile = authority.sign("client")
    async with tls_broker(context) as port:
        url = f"stomps://localhost:{port}?cafile={authority.cafile}"
        async with watched(f"{url}&certfile={certfile}&keyfile={keyfile}") as relay:
            await relay.up()
        reason = await trouble(url)
        assert "certfile" in reason


async def test_a_broker_without_tls_is_told_from_a_wrong_certificate() -> None:
    async with EmbeddedBroker() as broker:
        reason = await trouble(f"stomps://127.0.0.1:{broker.port}")
        assert "TLS" in reason
