"""The contract of :class:`core.transport.Carrier`, for every carrier."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed as PeerClosed

from core.clock import now_ns
from core.errors import ConnectionClosed, TargetUnreachable
from core.transport import Carrier, MemoryCarrier, MemoryNetwork, connect_websocket
from core.transport.sockjs import TRANSPORTS, SockJsTransport, connect_sockjs
from tests.support.recorder import Recorder
from tests.support.sockjs_far import SockJsFar, SockJsServer, sockjs_server


class Far(Protocol):
    """The other end, as a test drives it."""

    async def send(self, data: bytes) -> None: ...
    async def received(self, count: int) -> list[bytes]: ...
    async def close(self, code: int, reason: str) -> None: ...
    async def ended(self) -> int: ...
    def vanish(self) -> None: ...
    def listen(self, on: bool) -> None: ...


class Setting(Protocol):
    """A network with one server.

    ``binary``: whether messages may be any bytes; ``tells``: whether the peer hears our close code.
    """

    far: Far
    binary: bool
    tells: bool

    async def connect(self, recorder: Recorder) -> Carrier: ...
    async def connect_nowhere(self, recorder: Recorder) -> Carrier: ...


class MemoryFar:
    def __init__(self, carrier: MemoryCarrier) -> None:
        self.recorder = Recorder()
        self.carrier = carrier
        carrier.on_data, carrier.on_close = self.recorder.on_data, self.recorder.on_close

    async def send(self, data: bytes) -> None:
        self.carrier.send(data)

    async def received(self, count: int) -> list[bytes]:
        return await self.recorder.messages(count)

    async def close(self, code: int, reason: str) -> None:
        self.carrier.close(code, reason)

    async def ended(self) -> int:
        return (await self.recorder.closed()).code

    def vanish(self) -> None:
        self.carrier.abort()

    def listen(self, on: bool) -> None:
        self.carrier.set_reading(on)


class MemorySetting:
    far: Far
    binary = tells = True

    def __init__(self, max_backlog: int) -> None:
        self.network = MemoryNetwork(max_backlog=max_backlog)
        self.network.serve("memory://there", self._accept)

    def _accept(self, carrier: MemoryCarrier) -> None:
        self.far = MemoryFar(carrier)

    async def connect(self, recorder: Recorder) -> Carrier:
        return await self.network.connect(
            "memory://there/x", on_data=recorder.on_data, on_close=recorder.on_close
        )

    async def connect_nowhere(self, recorder: Recorder) -> Carrier:
        return await self.network.connect(
            "memory://nowhere", on_data=recorder.on_data, on_close=recorder.on_close
        )


class SocketFar:
    def __init__(self, connection: ServerConnection) -> None:
        self.socket = connection
        self.data: list[bytes] = []
        self.wake = asyncio.Event()
        self.over = asyncio.Event()

    async def send(self, data: bytes) -> None:
        await self.socket.send(data, text=True)

    async def received(self, count: int) -> list[bytes]:
        while len(self.data) < count:
            self.wake.clear()
            await self.wake.wait()
        return self.data[:count]

    async def close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason)

    async def ended(self) -> int:
        await self.over.wait()
        return self.socket.close_code or 0

    def vanish(self) -> None:
        self.socket.transport.abort()

    def listen(self, on: bool) -> None:
        if on:
            self.socket.transport.resume_reading()
        else:
            self.socket.transport.pause_reading()


class SocketSetting:
    far: Far
    binary = tells = True

    def __init__(self, max_backlog: int) -> None:
        self.max_backlog = max_backlog
        self.port = 0
        self.arrived = asyncio.Event()

    async def handle(self, connection: ServerConnection) -> None:
        far = SocketFar(connection)
        self.far = far
        self.arrived.set()
        try:
            async for data in connection:
                far.data.append(data.encode() if isinstance(data, str) else data)
                far.wake.set()
        except PeerClosed:
            pass
        finally:
            far.over.set()

    async def connect(self, recorder: Recorder) -> Carrier:
        carrier = await connect_websocket(
            f"ws://127.0.0.1:{self.port}/x",
            on_data=recorder.on_data,
            on_close=recorder.on_close,
            max_backlog=self.max_backlog,
        )
        await self.arrived.wait()
        return carrier

    async def connect_nowhere(self, recorder: Recorder) -> Carrier:
        with socket.socket() as deaf:  # bound, so that nobody else gets the port, but not listening
            deaf.bind(("127.0.0.1", 0))
            url = f"ws://127.0.0.1:{deaf.getsockname()[1]}/x"
            return await connect_websocket(url, on_data=recorder.on_data, on_close=recorder.on_close)


class SockJsPeer:
    """The other end of a SockJS session."""

    def __init__(self, far: SockJsFar) -> None:
        self.send, self.received, self.close = far.send, far.received_count, far.close
        self.ended, self.vanish, self.listen = far.ended, far.vanish, far.listen


class SockJsSetting:
    far: Far
    binary = tells = False

    def __init__(self, server: SockJsServer, transport: SockJsTransport, max_backlog: int) -> None:
        self.server = server
        self.transport: SockJsTransport = transport
        self.max_backlog = max_backlog

    async def connect(self, recorder: Recorder) -> Carrier:
        carrier = await connect_sockjs(
            self.server.url,
            on_data=recorder.on_data,
            on_close=recorder.on_close,
            transports=[self.transport],
            least_timeout=10,
            max_backlog=self.max_backlog,
        )
        self.far = SockJsPeer(self.server.fars[-1])
        return carrier

    async def connect_nowhere(self, recorder: Recorder) -> Carrier:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/x"
            return await connect_sockjs(url, on_data=recorder.on_data, on_close=recorder.on_close)


@asynccontextmanager
async def memory(max_backlog: int) -> AsyncGenerator[Setting]:
    yield MemorySetting(max_backlog)


@asynccontextmanager
async def websocket(max_backlog: int) -> AsyncGenerator[Setting]:
    setting = SocketSetting(max_backlog)
    async with serve(setting.handle, "127.0.0.1", 0, ping_interval=None, max_size=None) as server:
        setting.port = next(iter(server.sockets)).getsockname()[1]
        yield setting


def sockjs(transport: SockJsTransport) -> Callable[[int], AbstractAsyncContextManager[Setting]]:
    @asynccontextmanager
    async def made(max_backlog: int) -> AsyncGenerator[Setting]:
        async with sockjs_server(disconnect_s=0.5) as server:
            yield SockJsSetting(server, transport, max_backlog)

    return made


_BACKLOG = 256 * 1024
_NETWORKS = {"websocket": websocket} | {f"sockjs-{name}": sockjs(name) for name in TRANSPORTS}


@pytest.fixture(params=[memory, *_NETWORKS.values()], ids=["memory", *_NETWORKS])
async def setting(request: pytest.FixtureRequest) -> AsyncGenerator[Setting]:
    async with request.param(_BACKLOG) as made:
        yield made


async def test_messages_arrive_whole_and_in_order_both_ways(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    sent = [b"one", b"", "zwölf ✓ 100% \u2028".encode(), b"x" * 70_000, b"\xff\x00binary"]
    sent = sent if setting.binary else sent[:4]
    for data in sent:
        carrier.send(data)
    assert await setting.far.received(len(sent)) == sent
    for data in sent[:4]:
        await setting.far.send(data)
    assert await recorder.messages(4) == sent[:4]
    carrier.abort()


async def test_received_ns_stamps_what_is_being_delivered(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    before = now_ns()
    await setting.far.send(b"now")
    await recorder.messages(1)
    assert before <= carrier.received_ns <= now_ns()
    carrier.abort()


async def test_the_peer_closes_with_code_and_reason(setting: Setting) -> None:
    recorder = Recorder()
    await setting.connect(recorder)
    await setting.far.send(b"last words")
    await setting.far.close(4001, "enough")
    info = await recorder.closed()
    assert (info.code, info.reason, info.asked, info.error) == (4001, "enough", False, "")
    assert recorder.log == ["data", "close"]


async def test_this_side_closes_and_the_peer_sees_the_code(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    carrier.send(b"last words")
    carrier.close(4002, "done")
    carrier.close(4003, "again")  # harmless
    assert (await recorder.closed()).asked
    assert await setting.far.received(1) == [b"last words"]
    assert await setting.far.ended() == (4002 if setting.tells else 1006)


async def test_sending_after_close_raises(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    carrier.close()
    with pytest.raises(ConnectionClosed):
        carrier.send(b"too late")
    await recorder.closed()
    with pytest.raises(ConnectionClosed):
        carrier.send(b"much too late")
    with pytest.raises(ConnectionClosed):
        await carrier.drain()
    carrier.close()
    carrier.abort()
    carrier.set_reading(False)


async def test_abort_ends_at_once_and_delivers_nothing_more(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    carrier.abort()
    info = await recorder.closed()
    assert (info.code, info.asked) == (1006, True)
    assert await setting.far.ended() == 1006
    assert recorder.log == ["close"]


async def test_a_peer_that_vanishes_is_1006(setting: Setting) -> None:
    recorder = Recorder()
    await setting.connect(recorder)
    setting.far.vanish()
    info = await recorder.closed()
    assert (info.code, info.asked) == (1006, False)
    assert info.error


async def test_callbacks_are_never_nested_in_calls(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    carrier.send(b"a")
    carrier.close()
    assert recorder.log == []
    await recorder.closed()


async def test_stopped_reading_holds_messages_back(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    carrier.set_reading(False)
    await setting.far.send(b"held")
    for _ in range(20):
        await asyncio.sleep(0)
    assert recorder.data == []
    carrier.set_reading(True)
    assert await recorder.messages(1) == [b"held"]
    carrier.abort()


async def test_drain_waits_for_a_peer_that_does_not_read(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    setting.far.listen(False)
    sent = 0
    drained = asyncio.ensure_future(asyncio.sleep(0))
    while drained.done():
        carrier.send(b"x" * 30_000)
        sent += 1
        drained = asyncio.ensure_future(carrier.drain())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    setting.far.listen(True)
    await drained
    assert len(await setting.far.received(sent)) == sent
    carrier.abort()


async def test_a_peer_that_never_reads_is_given_up(setting: Setting) -> None:
    recorder = Recorder()
    carrier = await setting.connect(recorder)
    setting.far.listen(False)
    with pytest.raises(ConnectionClosed):
        while True:
            carrier.send(b"x" * 60_000)
    info = await recorder.closed()
    assert info.code == 1006
    assert "does not read" in info.error
    setting.far.listen(True)


async def test_nobody_there(setting: Setting) -> None:
    recorder = Recorder()
    with pytest.raises(TargetUnreachable) as caught:
        await setting.connect_nowhere(recorder)
    assert caught.value.tried
    assert recorder.log == []


_SCENES = [scene for name, scene in list(globals().items()) if name.startswith("test_")]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist on Windows")
@pytest.mark.parametrize("network", _NETWORKS)
@pytest.mark.parametrize("scene", _SCENES)
def test_on_uvloop(scene: Callable[[Setting], Coroutine[None, None, None]], network: str) -> None:
    import uvloop

    async def run() -> None:
        async with _NETWORKS[network](_BACKLOG) as setting:
            await scene(setting)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
