"""``wss:`` and ``https:`` with a certificate of our own (tests/support/localhost.pem: valid for a century,
for nobody but localhost, and worth nothing)."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from core.errors import TargetUnreachable
from core.load.pusher import Pusher
from core.transport import connect_websocket
from core.transport.sockjs import TRANSPORTS, SockJsTransport, connect_sockjs
from server.sockets.listener import Listener
from server.sockjs.suite import suite_services
from tests.support.recorder import Recorder

PEM = Path(__file__).parents[2] / "support" / "localhost.pem"


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


def trusting_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(PEM))


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    return found


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def echo_server(context: ssl.SSLContext | None) -> AsyncGenerator[int]:
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.mark.parametrize("loop", loops())
def test_messages_of_all_sizes_over_tls(loop: str) -> None:
    async def scene() -> None:
        recorder = Recorder()
        async with echo_server(server_context()) as port:
            carrier = await connect_websocket(
                f"wss://localhost:{port}/",
                on_data=recorder.on_data,
                on_close=recorder.on_close,
                ssl=trusting_context(),
            )
            # Longer than the receive buffer, and bursts that several records bring at once.
            sent = [b"small", b"x" * 200_000, *(b"%d" % number for number in range(2000)), b"end"]
            for data in sent:
                carrier.send(data)
            assert await recorder.messages(len(sent)) == sent
            carrier.close()
            assert (await recorder.closed()).code == 1000

    with asyncio.Runner(loop_factory=loops()[loop]) as runner:
        runner.run(scene())


async def test_an_unknown_certificate_is_refused_with_a_hint() -> None:
    async with echo_server(server_context()) as port:
        with pytest.raises(TargetUnreachable, match="certificate verify failed") as caught:
            await connect_websocket(f"wss://localhost:{port}/", on_data=print, on_close=print)
    assert "trusts" in caught.value.hint


async def test_a_port_without_tls() -> None:
    async with echo_server(None) as port:
        with pytest.raises(TargetUnreachable) as caught:
            await connect_websocket(
                f"wss://localhost:{port}/", on_data=print, on_close=print, ssl=trusting_context()
            )
    assert "speaks TLS" in caught.value.hint


async def test_pushing_over_tls() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 202 Fine\r\ncontent-length: 0\r\n\r\n")
        assert await reader.read() == b""
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context())
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        async with Pusher({"i1": url}, ssl=trusting_context()) as pusher:
            assert (await pusher.ask("i1", "u", "/topic/g", "x", {})).verdict == "accepted"
        async with Pusher({"i1": url}) as pusher:
            refused = await pusher.ask("i1", "u", "/topic/g", "x", {})
            assert refused.verdict == "refused"
            assert "certificate" in refused.error.lower()


@pytest.mark.parametrize("loop", loops())
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sockjs_over_tls(loop: str, transport: SockJsTransport) -> None:
    async def play() -> None:
        async with Listener(suite_services(), ssl_certfile=str(PEM)) as listener:
            url = f"https://localhost:{listener.port}/echo"
            recorder = Recorder()
            carrier = await connect_sockjs(
                url,
                on_data=recorder.on_data,
                on_close=recorder.on_close,
                transports=[transport],
                least_timeout=5,
                ssl=trusting_context(),
            )
            carrier.send(b"x" * 100_000)
            assert await recorder.messages(1) == [b"x" * 100_000]
            carrier.close()
            assert (await recorder.closed()).asked
            with pytest.raises(TargetUnreachable, match="certificate"):
                await connect_sockjs(url, on_data=recorder.on_data, on_close=recorder.on_close)

    with asyncio.Runner(loop_factory=loops()[loop]) as runner:
        runner.run(play())
