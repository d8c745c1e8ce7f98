"""What an instance's /info must say before a cluster counts as ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest

from core.errors import ClusterStartError
from server.supervisor.probe import get_json
from server.supervisor.readiness import check_broker, wait_for_gateway, wait_for_mesh

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


async def test_a_broker_that_is_not_there() -> None:
    async with _serving(lambda: b"") as url:
        broker = url.replace("http://", "stomp://user:secret@")
        await check_broker(broker)
        await check_broker("memory:")
    with pytest.raises(ClusterStartError, match="no broker at") as caught:
        await check_broker(broker)
    assert "secret" not in caught.value.tried


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
