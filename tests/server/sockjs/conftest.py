"""The services that the protocol's own suite wants, and short ways to ask them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from server.connections.fast_websocket import FastWebSocketProtocol
from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs.suite import suite_services
from tests.support.raw_http import RawHttp, Response, connected, request


class Place:
    """A server of SockJS services."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count()

    def session(self, prefix: str = "/echo") -> str:
        """The path of a session that nobody has used."""
        return f"{prefix}/000/s{next(self._numbers)}"

    def connect(self) -> AbstractAsyncContextManager[RawHttp]:
        """A connection."""
        return connected(self.url)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a GET."""
        return await request(self.url, "GET", path, headers)

    async def post(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer to a POST."""
        return await request(self.url, "POST", path, headers, body)

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to anything."""
        return await request(self.url, method, path, headers)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """The test services, under our own protocol classes."""
    async with Listener(suite_services(), http=StrictHttpProtocol, ws=FastWebSocketProtocol) as listener:
        yield Place(listener.url)


@pytest.fixture(params=["ours", "uvicorn's"])
async def any_place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The same under uvicorn's protocol classes too, as in somebody's own service."""
    classes: dict[str, Any] = (
        {"http": StrictHttpProtocol, "ws": FastWebSocketProtocol} if request.param == "ours" else {}
    )
    async with Listener(suite_services(), **classes) as listener:
        yield Place(listener.url)
